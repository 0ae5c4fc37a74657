"""The queue in Postgres: its workers, its scheduler and their signs of life."""

# Seconds. A worker that says nothing for so long is gone, and its jobs are another's.
HEARTBEAT_EVERY = 5
STALLED_AFTER = 20

"""What keeps the queue itself in order; `jobs.schedule` says when."""

from procrastinate.contrib.django import app
from procrastinate.jobs import Status

from jobs import STALLED_AFTER

# A job whose worker vanished so often is what makes workers vanish.
MOST_TRIES = 10
# Hours that a job which is done stays to be looked at in the admin.
KEEP = 24


@app.task(queue="retry_stalled", queueing_lock="retry_stalled")
async def retry_stalled(timestamp: int) -> None:
    """Give the jobs of workers that were killed to others."""
    stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER)
    for job in stalled:
        if job.attempts < MOST_TRIES:
            await app.job_manager.retry_job(job)
        else:
            await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=False)


@app.task(queue="forget_old", queueing_lock="forget_old")
async def forget_old(timestamp: int) -> None:
    """Remove jobs that were done long ago; those that failed stay."""
    await app.job_manager.delete_old_jobs(nb_hours=KEEP)

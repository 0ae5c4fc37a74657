"""The roll: bring a prepared release to the visitors, prove it, and take the old one from them.

    pull → create → commands → assets → start → healthy → smoke → workers → (canary) → switch →
    confirm → soak → drain → stop → record → prune

Before the switch, which renames one file, the old release serves and every failure leaves it alone.
From then on until the drain the old release is still warm, and every failure goes back to it.
Nothing in here sleeps for a fixed time and hopes: each step waits for what it is about, and each
wait has a bound and an error of its own.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from ansible_collections.slipway.stack.plugins.module_utils import assets
from ansible_collections.slipway.stack.plugins.module_utils.clock import Clock
from ansible_collections.slipway.stack.plugins.module_utils.command import run_command
from ansible_collections.slipway.stack.plugins.module_utils.definition import (
    FULL_SHARES,
    RELEASE_LABEL,
    STACK_LABEL,
    YIELDING_SHARES,
)
from ansible_collections.slipway.stack.plugins.module_utils.engine import Engine
from ansible_collections.slipway.stack.plugins.module_utils.handover import Handover
from ansible_collections.slipway.stack.plugins.module_utils.job import DEPLOY, ROLLBACK, Job
from ansible_collections.slipway.stack.plugins.module_utils.proxy import Proxy
from ansible_collections.slipway.stack.plugins.module_utils.record import Record, Report
from ansible_collections.slipway.stack.plugins.module_utils.release import (
    SERVING,
    Manifest,
    ReleaseError,
)
from ansible_collections.slipway.stack.plugins.module_utils.retire import Retirer
from ansible_collections.slipway.stack.plugins.module_utils.secret_files import outdated, renew
from ansible_collections.slipway.stack.plugins.module_utils.start import (
    Starter,
    containers_of,
    routed,
    singletons,
    workers,
)
from ansible_collections.slipway.stack.plugins.module_utils.switch import Switch
from ansible_collections.slipway.stack.plugins.module_utils.trial import Say, Trial

ALL_VISITORS = 100  # percent


class Roll:
    """One roll of one stack, from start to retire; whoever runs it holds the stack's lock."""

    def __init__(
        self, job: Job, engine: Engine, proxy: Proxy, trial: Trial, *, say: Say, clock: Clock
    ) -> None:
        """Bring the parts together; nothing is touched before `run`."""
        self.job = job
        self.directory = job.directory
        self.engine = engine
        self.trial = trial
        self.say = say
        self.clock = clock
        self.starter = Starter(self.directory, engine, clock)
        self.switch = Switch(self.directory, proxy, clock)
        self.retirer = Retirer(self.directory, engine, clock)

    def run(self) -> Report:
        """Make the job's release the one that serves, or finish what an earlier roll began."""
        self.new = self.directory.manifest(self.job.release)
        serving = self.directory.serving()
        self.resuming = serving == self.new.id
        self.old = self._predecessor() if self.resuming else self._manifest(serving)
        self.report = Report(
            action=self.job.action,
            old=self.old.id if self.old else None,
            new=self.new.id,
            version=self.new.version,
            images=self.new.images,
        )
        if self.old:
            self.starter.shared = frozenset(self.new.containers & self.old.containers)
        self.record = Record(self.job, self.trial, self.new, self.report)
        self.handover = Handover(self.new, self.starter, self.retirer, settled=self.resuming)
        self.met = self.resuming  # whether a visitor may have met the new release
        with self.trial.probing(self.new, self.old):
            try:
                self._bring()
                self._hand_over_and_soak()
                self._phase_drain()
            except Exception as error:
                if left := self._go_back(error):
                    raise ReleaseError(f"{error}\n{left}") from error
                raise
            self._retire()
            self.report.lost = self.trial.lost_after_all()
        return self.report

    # bring ------------------------------------------------------------------------------------

    def _bring(self) -> None:
        """Start the release beside the old one, prove it in private, and switch to it."""
        new = self.new
        if not self.resuming:
            self._settle()
            if self.old:
                for one in self._returning():
                    renew(self.directory, one, present=self.old)
            self._pull()
        with self._phase("create"):
            self._create()
        self.trial.await_baseline()
        if not self.resuming:
            self._prepare()
        with self._phase("start"):
            self.starter.start(new, routed(new))
        with self._phase("healthy"):
            self.starter.wait_until_healthy(new, routed(new), settled=self.resuming)
        if not self.resuming:
            with self._phase("smoke"):
                self.private = self.switch.publish_private(new)
                public = [self.switch.routes(self.old)] if self.old else []
                self.switch.confirm(*public, self.private)
                self.trial.smoke(new)
        if self.job.action == DEPLOY:
            self._start_workers()
        self.starter.weigh(new, FULL_SHARES)
        self.trial.compare(self.old)
        if self.old and not self.resuming and self.job.action == DEPLOY:
            self._canary(self.old)
        self.trial.narrow(new)
        with self._phase("switch"):
            self.met = True
            self.switch.publish(new)
            self.switch.drop_private()
        with self._phase("confirm"):
            self.switch.confirm(self.switch.routes(new))
            self.trial.expect(new)
        if self.job.action == ROLLBACK:
            self._start_workers()  # visitors wait for a rollback, the queue need not be empty

    def _start_workers(self) -> None:
        if workers(self.new):
            with self._phase("workers"):
                self.starter.start(self.new, workers(self.new))
                self.starter.wait_until_healthy(self.new, workers(self.new), settled=self.resuming)

    def _settle(self) -> None:
        """Take away what an interrupted roll left: a canary's draw, a private way, containers."""
        self.switch.drop_private()
        stays = {self.new.id, self.old.id if self.old else None}
        if self.old:
            # What still runs of a release that comes back knows the secrets that it began with.
            if any(any(outdated(self.directory, one, self.old)) for one in self._returning()):
                stays = {self.old.id}
            self.switch.publish(self.old)
            if self.retirer.others(stays):
                # A canary may still lead visitors to what goes now.
                self.switch.confirm(self.switch.routes(self.old))
                self.retirer.drain(self.old.id, self.job.policy.drain_timeout)
        self.retirer.remove_others(stays)
        if self.old:
            self._restart(self.old)

    def _pull(self) -> None:
        if self.job.action == DEPLOY:
            with self._phase("pull"):
                self.engine.pull(sorted(set(self.new.images.values())))
                self._refuse_root()

    def _create(self) -> None:
        """Make the containers; they give way to what serves until visitors are to meet them."""
        before = [] if self.resuming else [one["name"] for one in self._commands("before")]
        after = [one["name"] for one in self._commands("after") if one["name"] in self.new.pending]
        self.starter.tag_images(self.new)
        self.starter.create(self.new, [*before, *after])
        if self.old and not self.resuming and self.job.action == DEPLOY:
            self.starter.weigh(self.new, YIELDING_SHARES)

    def _commands(self, when: str) -> list[dict[str, Any]]:
        return self.job.commands.get(when, []) if self.job.action == DEPLOY else []

    def _prepare(self) -> None:
        """Bring what the release needs before it can start: migrations, files."""
        for command in self._commands("before"):
            with self._phase(command["name"]):
                run_command(self.directory, self.engine, self.new.id, **command)
        if self.new.assets:
            with self._phase("assets"):
                self._merge_assets(replace=False)

    def _refuse_root(self) -> None:
        """End the roll before anything runs when a service would run as root."""
        for name, service in self.new.services.items():
            if service["uid"] is None and self.engine.runs_as_root(self.new.images[name]):
                raise ReleaseError(
                    f"Service {name} would run as root: its image names no other user. Set "
                    f"stack_services.{name}.uid to the number of an account that the image can run "
                    f"as, or USER in its Dockerfile."
                )

    def _merge_assets(self, *, replace: bool) -> None:
        for name, volume in self.new.assets.items():
            tree = self.directory.release(self.new.id) / "volumes" / name
            source = volume["from"]
            if source and not replace and self.job.action == DEPLOY:
                assets.extract(
                    self.engine,
                    self.new.images[source["service"]],
                    source["path"],
                    tree,
                    owner=volume["owner"],
                    # So that what a kill leaves of it is found.
                    labels={STACK_LABEL: self.new.stack, RELEASE_LABEL: self.new.id},
                )
            assets.merge(tree, self.directory.root / "volumes" / name, replace=replace)

    def _canary(self, old: Manifest) -> None:
        """Let a share of the visitors try the release, step by step."""
        steps = self.job.policy.canary
        if steps and old.made_by_0_1_0:
            self.say("canary", "note", "left out, because version 0.1.0 made the release before")
            return
        for percent in steps:
            if percent < ALL_VISITORS:
                with self._phase(f"canary {percent} %"):
                    self.met = True
                    drawn = self.switch.publish_canary(old, self.new, percent=percent, steps=steps)
                    self.switch.confirm(drawn, self.private)
                    self._watch(self.job.policy.soak_seconds)

    # prove ------------------------------------------------------------------------------------

    def _hand_over_and_soak(self) -> None:
        """Watch the release while the old one is warm; workers change hands at the same time."""
        self.handover.begin()
        if self.old:
            with self._phase("soak"):
                self._watch(self.job.policy.soak_seconds)
        with self._phase("handover"):
            self.handover.finish()

    def _watch(self, seconds: float) -> None:
        """Ask for the verdict until the time is over; a bad one raises ReleaseError."""
        self.trial.watch(seconds, also=self.handover.raise_if_failed)

    # go back ----------------------------------------------------------------------------------

    def _go_back(self, error: Exception) -> str:
        """Have the old release serve as if nothing had been; return what of it did not work.

        The new release's containers go only when no visitor can be led to them any more.
        """
        if self.resuming and not self.old:
            return ""  # it serves, and there is nothing to go back to
        left = ""
        with self._phase("back"):
            self.trial.expect(None)
            try:
                self._lead_back()
                try:
                    if self.old and self.met:
                        self.switch.confirm(self.switch.routes(self.old))
                finally:
                    self._take_work_back()
                self._take_away_the_new()
            except (ReleaseError, OSError) as problem:
                left = f"Going back did not end; the next deploy does the rest: {problem}"
        try:
            self.record.badly("\n".join(filter(None, [str(error), left])))
        except (ReleaseError, OSError) as problem:
            left = f"{left}\nThis could not be written down: {problem}".strip()
        return left

    def _lead_back(self) -> None:
        if self.old:
            self.switch.publish(self.old)
        else:
            self.directory.routes.unlink(missing_ok=True)
        self.switch.drop_private()

    def _take_work_back(self) -> None:
        """Stop the new singletons, then start what a handover had stopped."""
        self.handover.await_end()
        if self.old:
            names = sorted(set(containers_of(self.new, singletons(self.new))) - self.starter.shared)
            self.retirer.stop(
                [one for one in self.engine.inspect(names) if one["State"]["Running"]]
            )
            self._restart(self.old)

    def _take_away_the_new(self) -> None:
        if self.old:
            self.retirer.drain(self.old.id, self.job.policy.drain_timeout)
        self.retirer.remove_others({self.old.id if self.old else None})

    def _restart(self, manifest: Manifest) -> None:
        """Start the containers of a release that do not run; its commands never run again."""
        names = containers_of(manifest, manifest.services)
        for one in self.engine.inspect(names):
            if not one["State"]["Running"]:
                self.engine.start(one["Id"])

    # retire -----------------------------------------------------------------------------------

    def _phase_drain(self) -> None:
        with self._phase("drain"):
            self.retirer.drain(self.new.id, self.job.policy.drain_timeout)
            self.trial.judge_probe()

    def _retire(self) -> None:
        with self._phase("stop"):
            self.retirer.remove_others({self.new.id})
        with self._phase("record"):
            self.record.well()
        with self._phase("prune"):
            self._merge_assets(replace=True)
            for note in self.retirer.prune(self.new.id, self.job.policy.keep):
                self.say("prune", "note", note)
            for kept in self.directory.manifests():
                renew(self.directory, kept, present=self.new)

    # parts ------------------------------------------------------------------------------------

    def _manifest(self, release_id: str | None) -> Manifest | None:
        return self.directory.manifest(release_id) if release_id else None

    def _returning(self) -> list[Manifest]:
        """List the releases whose containers a rollback starts."""
        if self.job.action != ROLLBACK:
            return []
        return [self.directory.manifest(home) for home in sorted(self.new.homes)]

    def _predecessor(self) -> Manifest | None:
        """Find the release that an interrupted roll switched from, if it could serve at once."""
        running = {
            container["Name"].lstrip("/")
            for container in self.retirer.others(set())
            if container["State"]["Running"]
        }
        for manifest in self.directory.manifests():
            if manifest.id != self.new.id and manifest.outcome == SERVING:
                ready = set(containers_of(manifest, routed(manifest))) <= running
                return manifest if ready else None
        return None

    def _phase(self, name: str) -> AbstractContextManager[None]:
        return self.report.phase(name, self.say, self.clock)

"""What must hold all along: seen at every call, written down as a violation at once."""

import asyncio
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from slipway.domain.commit import Commit
from slipway.domain.image import Digest
from slipway.domain.release import Kind, Release, State
from slipway.domain.workloads import Workloads
from slipway.ledger.releases import FOR_GOOD
from slipway.ports import Lease
from tests.fakes.kubernetes import FakeDeployment
from tests.fakes.processes import Process
from tests.fakes.pulumi import Update
from tests.fakes.world import World
from tests.simulation.automation import Restraint

FENCED = {"config.write", "stack.up", "stack.refresh", "stack.cancel", "registry.tag"}
"""What only the holder of the stack's lease may do."""
LOOKED = {"ledger.holds", "ledger.vetoes"}
TELLING = {Lease, Release, Workloads}
"""Results that tell what has become of something."""
OURS = re.compile(r"slipway (\w+) .* release=(\S+)")
"""The message of an update of a release, with its kind."""
ALREADY_SENT = 1
"""What a process that was stopped past its lease may still complete: the request it had sent."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold, and what was seen."""

    invariant: str
    seen: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.seen}"


class Witness:
    """Sees each effect as it happens."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.violations: list[Violation] = []
        self.ended: asyncio.Event = asyncio.Event()
        self.dead: set[str] = set()
        self._fences: dict[Process, Lease] = {}
        self.late: list[str] = []
        """Updates that a process sent off although it had been taken over since its last check."""
        self._stale: Counter[str] = Counter()
        self._stale_now: dict[Process, bool] = {}
        self._rows: dict[str, Release] = {}
        self._changes: dict[str, int] = defaultdict(int)
        self._main: dict[str, str] = {}
        self._revisions = world.config.latest.number
        self.restraint = Restraint(world, self.violated)
        self.disturbed: dict[str, float] = {}
        """When each process was last struck."""
        self._given_up: list[str] = []
        """Releases that stood open when a process was done that nothing had struck."""

    def struck(self, process: Process) -> None:
        """A fault has struck a process."""
        self.disturbed[process.name] = asyncio.get_running_loop().time()

    def died(self, process: Process) -> None:
        """A process is dead."""
        self.struck(process)
        self.dead.add(process.name)
        self.ended.set()

    def before(self, process: Process, effect: str) -> None:
        """A call that only the lease's holder may make is about to have its effect."""
        self._stale_now[process] = self._is_stale(process)
        if effect == "stack.up" and self._stale_now[process]:
            self.late.append(process.name)
        if effect == "registry.tag":
            self._main = self._mains()
        if effect == "config.write":
            self.restraint.pins(process)

    def after(self, process: Process, effect: str, result: object) -> None:
        """The call has had its effect."""
        if effect in FENCED:
            self._changed(process, effect)
        elif effect in LOOKED:
            assert isinstance(result, list)
            self.restraint.looked(process, effect, result)
        elif type(result) in TELLING:
            self._told(process, effect, result)

    def _told(self, process: Process, effect: str, result: object) -> None:
        if effect == "ledger.acquire" and isinstance(result, Lease):
            self._fences[process] = result
            self.restraint.leased(result)
        elif isinstance(result, Release):
            if effect == "ledger.open":
                self.restraint.opened(process, result)
            self._row_is(result)
        elif isinstance(result, Workloads):
            self._replicas_are(result)

    def _changed(self, process: Process, effect: str) -> None:
        if effect == "registry.tag" and self._mains() == self._main:
            return  # a commit's own tag, which is given before anybody needs the lease
        if self._stale_now.get(process):
            self._stale[process.name] += 1
            if self._stale[process.name] > ALREADY_SENT:
                self.violated("I3 a stale fence changes nothing", f"{process.name}: {effect}")
        elif effect == "registry.tag":
            self._main_moved()
        if effect == "config.write":
            self._config_is()

    def over(self, process: Process) -> None:
        """A process has done all that it was started for."""
        row = self.world.ledger.releases.get(self.restraint.release_of(process))
        if row is not None and row.is_open and process.name not in self.disturbed:
            self._given_up.append(f"{row.id} of {process.name}: {row.state} ({row.phase})")

    def at_rest(self, *, clock_jumped: bool) -> None:
        """Whoever was not struck has ended its own release; who is live, the holds it overcame.

        Not where the ledger's clock has jumped: then another may have taken the release over, or a
        hold look older than who did not know of it. What an update that came late has undone is
        another's to finish.
        """
        for seen in self._given_up if not (clock_jumped or self.late) else ():
            self.violated("P what nothing struck ends by itself", seen)
        for seen in self.restraint.left_standing if not clock_jumped else ():
            self.violated("A a newer commit ends the hold", seen)

    def applies(self, update: Process | None) -> None:
        """An update is about to reach the cluster."""
        assert isinstance(update, Update)
        found = OURS.match(update.message)
        if found is None or found.group(1) != Kind.DEPLOY or self.late:
            return
        target = self.world.ledger.releases[found.group(2)].target
        self.restraint.applies(found.group(2), self._deployment(target).image)

    def applied(self, update: Process | None) -> None:
        """An update has reached the cluster."""
        assert isinstance(update, Update)
        found = OURS.match(update.message)
        if found and found.group(1) in {Kind.DEPLOY, Kind.ROLLBACK}:
            name = f"{found.group(2)}"
            self._changes[name] += 1
            if self._changes[name] > 1 and not self.late:
                self.violated("I2 a release changes the cluster once", update.message)
        running = [each for each in self.world.running if not each.dead]
        if len(running) > 1:
            self.violated("I6 one update at a time", ", ".join(each.message for each in running))

    def _is_stale(self, process: Process) -> bool:
        mine = self._fences.get(process)
        if mine is None:
            return True
        return self.world.ledger.leases[mine.stack].fence > mine.fence

    def _row_is(self, row: Release) -> None:
        before = self._rows.get(row.id)
        self._rows[row.id] = row
        if before is not None and before.state in FOR_GOOD:
            same = (before.state, before.ended, before.live_since)
            if same != (row.state, row.ended, row.live_since):
                self.violated("I10 an end is never rewritten", f"{row.id}: {before} → {row}")
        if row.kind is Kind.ADOPTED or (before is not None and before.state is row.state):
            return
        if row.state is State.LIVE:
            self._must_run(row, row.accepted, row.image)
            self.restraint.live(row)
        elif row.state is State.RESTORED and row.baseline is not None:
            self._must_run(row, row.baseline.accepted, None)

    def _must_run(self, row: Release, accepted: frozenset[Digest], image: str | None) -> None:
        deployment = self._deployment(row.target)
        running = self.world.runs(deployment)
        good = len(running) == 1 and running <= accepted
        if not good or image not in {None, deployment.image}:
            shown = ", ".join(map(str, running)) or "nothing"
            self.violated("P an end is true", f"{row.id} is {row.state}, but {shown} runs")

    def _replicas_are(self, seen: Workloads) -> None:
        ready = sum(1 for pod in seen.pods if pod.ready and not pod.terminating)
        if ready < seen.replicas:
            self.violated("I8 never fewer ready pods", f"{seen}: {ready} of {seen.replicas}")

    def _config_is(self) -> None:
        for revision in self.world.config.revisions[self._revisions :]:
            before = self.world.config.at(revision.number - 1)
            changed = {
                key
                for key in {*before.values, *revision.values}
                if before.values.get(key) != revision.values.get(key)
            }
            if revision.author == self.world.config.account and len(changed) > 1:
                self.violated("I7 no edit is lost", f"revision {revision.number}: {changed}")
        self._revisions = self.world.config.latest.number

    def _mains(self) -> dict[str, str]:
        """The newest commit whose image each service's `:main` is: equal inputs share one."""
        targets = self.world.targets.values()
        return {each.name: self._main_of(each.service.repository) for each in targets}

    def _main_of(self, repository: str) -> str:
        tagged = self.world.registry.tagged
        digest = tagged.get((repository, "main"))
        its = [
            tag for (where, tag), each in tagged.items() if (where, each) == (repository, digest)
        ]
        commits = [tag for tag in its if tag in self.world.git.commits]
        return max(commits, key=lambda each: len(self.world.git._line(each)), default="")

    def _main_moved(self) -> None:
        for target, now in self._mains().items():
            before = self._main[target]
            if before and before != now and before not in self.world.git._line(now or None):
                to = Commit(now).short
                self.violated("I3 :main never goes back", f"{target}: {before[:7]} → {to}")

    def _deployment(self, target: str) -> FakeDeployment:
        name = self.world.targets[target].workload.name
        return self.world.cluster.deployments["apps", name]

    def violated(self, invariant: str, seen: str) -> None:
        """Something has happened that must not."""
        self.violations.append(Violation(invariant, seen))

"""One story from its start to the calm after the storm, and what it broke."""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from unittest import mock

from flows import rolling_out
from slipway.domain.release import code_of
from slipway.errors import SlipwayError
from slipway.ports import Ports
from slipway.tasks.waiting import LEASE_SECONDS
from tests.fakes.processes import Process, ProcessSignals, gated
from tests.fakes.virtual_time import run as run_in_virtual_time
from tests.fakes.world import World
from tests.simulation.invariants import broken_at_rest
from tests.simulation.people import released, said
from tests.simulation.story import (
    ADAPTER,
    Asked,
    Edit,
    Held,
    Holder,
    HoldsEnded,
    Orphan,
    Outage,
    Placed,
    Pushed,
    Revoked,
    Start,
    Story,
    Timed,
    Vetoed,
    Wrong,
)
from tests.simulation.weather import Happened, Inside, Line, Weather
from tests.simulation.webhook import Webhook
from tests.simulation.witness import Violation, Witness

LIMIT = 7200.0
"""Virtual seconds within which every process must have ended, however the weather was."""
LONGER = 3600.0
"""Seconds more for each push: so long the webhook waits for a run whose end nobody tells."""
RECOVERIES = 3
"""The watch starts recovery every 15 s; what stands open after so many in calm weather stays."""
PATIENCE = {"ready_within": 30.0, "soak": 6.0}
"""The targets': short, since each second is looked at."""


@dataclass
class Result:
    """What a story came to."""

    story: Story
    violations: list[Violation]
    struck: int
    lines: list[Line] = field(repr=False, default_factory=list)
    ends: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    """Why each release ended as it did, in a word."""

    @property
    def trace(self) -> list[Happened]:
        """What happened, in order."""
        return [Happened(*each) for each in self.lines]

    @property
    def digest(self) -> str:
        """The same exactly when the same happened at the same times."""
        lines = "\n".join(map(str, [*self.trace, *self.ends, *self.violations]))
        return hashlib.sha256(lines.encode()).hexdigest()


def simulate(story: Story) -> Result:
    """Tell one story."""
    with quiet():
        return run_in_virtual_time(_Simulation(story).run())


class _Simulation:
    def __init__(self, story: Story) -> None:
        self.story = story
        self.processes: dict[str, Process] = {}
        self.webhook: Webhook | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.calm_at = 0.0

    async def run(self) -> Result:
        self.world = make_world()
        self.witness = Witness(self.world)
        faults = self.world.faults
        assert isinstance(faults, Inside)
        self.weather = Weather(self.story, self.witness, faults, self._happens)
        faults.weather = self.weather
        self.ports = {
            name: gated(self.world.ports(name), self.weather) for name in self.world.targets
        }
        pushes = [each for each in self.story.events if isinstance(each, Pushed)]
        limit = LIMIT + LONGER * len(pushes)
        if pushes:
            ports = self.ports[ADAPTER]
            self.webhook = Webhook(self.world, ports, self.weather, self._begin)
            self._background(self.webhook.serve())
        try:
            async with asyncio.timeout(limit):
                await self._storm()
                await self._calm()
        except TimeoutError:
            open_ = ", ".join(name for name, each in self.processes.items() if not self._over(each))
            seen = f"not over after {limit:g} s: {open_ or 'a delivery'}"
            self.witness.violations.append(Violation("I11 waits have an end", seen))
        else:
            self.witness.at_rest(clock_jumped=self.weather.clock_jumped)
            self.witness.violations.extend(
                broken_at_rest(self.world, self.story, self.witness.late)
            )
        ends = [
            f"{each.id} {each.kind} {each.commit or each.request.wanted} at {each.target}: "
            f"{each.state}, {each.reason}"
            for each in self.world.ledger.releases.values()
        ]
        self.weather.over = True
        timed = [each for each in self.story.events if not isinstance(each, Asked | Placed)]
        struck = len(self.weather.struck) + len(timed)
        codes = [code_of(each.reason) for each in self.world.ledger.releases.values()]
        return Result(self.story, self.witness.violations, struck, self.weather.trace, ends, codes)

    async def _storm(self) -> None:
        """Let the story's events happen at their times, and wait until every process is over."""
        loop = asyncio.get_running_loop()
        timed = [each for each in self.story.events if not isinstance(each, Placed)]
        for event in sorted(timed, key=lambda each: each.at):
            if event.at > loop.time():
                await asyncio.sleep(event.at - loop.time())
            self._happens(event)
        await self._until_over()
        await self._until_served()
        while self.webhook is not None and await self.webhook.has_lost():
            await asyncio.sleep(5.0)
            await self._until_served()

    def _happens(self, event: Timed) -> None:
        if not isinstance(event, Outage):
            self.weather.tell("", str(event))
        if isinstance(event, Holder | Revoked):
            ends = asyncio.get_running_loop().time() + event.seconds
            self.calm_at = max(self.calm_at, ends)
        match event:
            case Start():
                self._start(event)
            case Pushed():
                if self.webhook is not None:
                    self._background(self.webhook.receive(event))
            case Held() | HoldsEnded() | Vetoed():
                self._background(said(self.world.ledger, self.world.commits, event))
            case _:
                self._goes_wrong(event)

    def _goes_wrong(self, event: Wrong) -> None:
        loop = asyncio.get_running_loop()
        match event:
            case Outage():
                self.weather.begin(replace(event, at=loop.time()))
            case Edit():
                self.world.config.edit("bob", **{event.key: event.value})
            case Holder():
                self._hold(event)
            case Revoked():
                passwords = dict(self.world.registry.passwords)
                self.world.registry.passwords.clear()
                loop.call_later(event.seconds, self.world.registry.passwords.update, passwords)
            case Orphan():
                self._orphan()

    def _start(self, start: Start) -> None:
        self._begin(start.name, start.target, lambda ports: released(self.world, ports, start))

    def _begin(
        self, name: str, target: str, does: Callable[[Ports], Coroutine[object, object, object]]
    ) -> Process:
        process = self.processes[name] = self.world.process(name)
        process.start(_to_its_end(does(self.ports[target]))).add_done_callback(self._done)
        return process

    def _background(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _hold(self, event: Holder) -> None:
        """Somebody's update, if the stack is free."""
        if self.world.busy:
            return
        self.world.held_by.append("bob")

        def let_go() -> None:
            self.world.held_by.remove("bob")
            self.world.stack.somebody_updates()

        asyncio.get_running_loop().call_later(event.seconds, let_go)

    def _orphan(self) -> None:
        """What a run of somebody else's, killed with its machine, leaves at the stack."""
        if not self.world.busy:
            update = self.world.stack.somebody_dies()
            self.processes[update.name] = update

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.witness.violated("P nothing crashes", f"{task.get_name()}: {error!r}")
        self.witness.over(self.processes[task.get_name()])
        self.witness.ended.set()

    @staticmethod
    def _over(process: Process) -> bool:
        return process.dead or all(each.done() for each in process.tasks)

    async def _until_over(self) -> None:
        while not all(map(self._over, self.processes.values())):
            self.witness.ended.clear()
            await self.witness.ended.wait()

    async def _until_served(self) -> None:
        """Wait until every push has its outcome, and every run is over."""
        if self.webhook is not None:
            await asyncio.sleep(1.0)  # what has just been received is kept
        while self.webhook is not None and self.webhook.at_work:  # noqa: ASYNC110 - a fake's inbox
            await asyncio.sleep(5.0)
        await self._until_over()

    async def _until_calm(self) -> None:
        over = max(self.calm_at, self.weather.calm_at) - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, over) + 1.0)

    async def _calm(self) -> None:
        """The faults end, and recovery runs until nothing stands open."""
        loop = asyncio.get_running_loop()
        await self._until_calm()
        self.weather.tell("", "calm")
        if self.webhook is not None:
            self.webhook.end()
            await self._until_served()
            await self._until_calm()  # its last runs may have met what was still to strike
        for number in range(RECOVERIES):
            self._start(Start(loop.time(), f"Z{number}", "recover", ADAPTER))
            await self._until_over()
            if not any(each.is_open for each in self.world.ledger.releases.values()):
                break
        # A lease whose holder could not give it back runs out by itself; a dead update's, too.
        dead = [each.ends - loop.time() for each in self.world.running if each.ends is not None]
        await asyncio.sleep(max([LEASE_SECONDS, *dead]))


async def _to_its_end(work: Coroutine[object, object, object]) -> None:
    """A run that ends with an error is over all the same."""
    with contextlib.suppress(SlipwayError):
        await work


def make_world() -> World:
    """The seed's system with more history, and targets that are less patient."""
    world = World.seeded(Inside())
    for name, files in {
        "fourth": {"adapter/app.py": "good 4", "sink/app.py": "good 4"},
        "crashed-sink": {"sink/app.py": "crashes"},
        "stuck-sink": {"sink/app.py": "never-ready"},
        "fifth": {"adapter/app.py": "good 5", "sink/app.py": "good 5"},
    }.items():
        world.commits[name] = world.git.commit(name, files)
    world.targets = {name: replace(each, **PATIENCE) for name, each in world.targets.items()}  # type: ignore[arg-type] # real fields
    return world


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No logs, and signal handlers for each process instead of this one's."""
    before = logging.root.manager.disable
    if before >= logging.CRITICAL:  # set already, for many stories
        yield
        return
    logging.disable(logging.CRITICAL)
    try:
        with mock.patch.object(rolling_out, "signal", ProcessSignals):
            yield
    finally:
        logging.disable(before)

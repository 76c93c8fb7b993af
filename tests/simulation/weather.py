"""What happens around every call of a port: latency, faults, and the record of it all."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from slipway.domain.release import Release
from slipway.errors import (
    AccessDenied,
    ApplyFailed,
    BuildFailed,
    LedgerUnusable,
    PreviewFailed,
    Unreachable,
)
from tests.fakes.faults import Faults, raising
from tests.fakes.processes import CURRENT, Process
from tests.fakes.pulumi import Update
from tests.simulation.story import Fault, Meanwhile, Outage, Placed, Story, System, Timed
from tests.simulation.witness import FENCED, Witness

KILLED_AFTER = 30.0
"""Seconds that Prefect gives a cancelled run before it sends SIGKILL."""
STOPPED_FOR = 45.0
"""Longer than a lease lasts."""
TIMEOUT = 60.0
OUTAGE = 60.0
HOUR = 3600.0
SLOW = 0.15
"""How many of the calls take a while."""


Line = tuple[float, str, str]


class Happened(NamedTuple):
    """One line of what happened."""

    at: float
    who: str
    what: str

    def __str__(self) -> str:
        return f"{self.at:9.2f} s  {self.who:<9} {self.what}"


class Weather:
    """The gate between every process and the world."""

    def __init__(
        self, story: Story, witness: Witness, faults: Faults, happens: Callable[[Timed], None]
    ) -> None:
        self.random = Random(story.seed)  # noqa: S311 - a story, not a secret
        self.witness = witness
        self.happens = happens
        self.faults = faults
        self.trace: list[Line] = []
        """What happened, each to be told as `Happened`."""
        self._now = asyncio.get_running_loop().time
        self.struck: list[Placed] = []
        self.over = False
        self.clock_jumped = False
        self.outages: dict[str, Outage] = {}
        self.calm_at = 0.0
        self._calls: Counter[tuple[str, str]] = Counter()
        self._placed: dict[tuple[str, str], list[Placed]] = defaultdict(list)
        self._more: dict[tuple[str, str], int] = {}
        for each in story.events:
            if isinstance(each, Placed):
                self._placed[each.who, each.effect].append(each)

    def tell(self, who: str, what: str) -> None:
        """Write one line of what happened."""
        self.trace.append((self._now(), who, what))

    async def before(self, effect: str) -> None:
        """Called before each call of a port, in the calling process."""
        process = CURRENT.get()
        if process is None:
            return
        if self.over:
            raise asyncio.CancelledError
        if process.frozen:
            await process.breathe()
        call = process.name, effect
        self.trace.append((self._now(), process.name, effect))
        if self.random.random() < SLOW:
            await asyncio.sleep(self.random.random() * 0.3)
            await process.breathe()
        if call in self._placed:
            self._calls[call] += 1
            await self._strike(process, effect, "before")
        if self.outages or self._more:
            self._fail_on(process, effect)
        if effect in FENCED:
            self.witness.before(process, effect)

    async def after(self, effect: str, result: object) -> None:
        """Called when the call has had its effect, before the caller hears of it."""
        process = CURRENT.get()
        if process is None:
            return
        self.witness.after(process, effect, result)
        if process.frozen:
            await process.breathe()
        if (process.name, effect) in self._placed:
            await self._strike(process, effect, "after")
        if effect == "ledger.save" and isinstance(result, Release):
            await self._recorded(process, result)

    async def _recorded(self, process: Process, row: Release) -> None:
        """A commit to the ledger is a place by what it has recorded: `recorded pinned`."""
        for effect in {f"recorded {row.phase}", f"recorded {row.state}"}:
            if (process.name, effect) in self._placed:
                self._calls[process.name, effect] += 1
                await self._strike(process, effect, "after")

    async def inside(self, effect: str) -> None:
        """A place inside a call, in the calling process."""
        process = CURRENT.get()
        if process is not None and (process.name, effect) in self._placed:
            self._calls[process.name, effect] += 1
            await self._strike(process, effect, "before")

    async def _strike(self, process: Process, effect: str, moment: str) -> None:
        nth = self._calls[process.name, effect]
        for each in self._placed[process.name, effect]:
            if (each.nth, each.moment) != (nth, moment):
                continue
            self.struck.append(each)
            self.witness.struck(process)
            self.tell(process.name, f"! {each}")
            if isinstance(each, Meanwhile):
                self.happens(each.event)
            else:
                await self._do(process, effect, each.fault)

    async def _do(self, process: Process, effect: str, fault: Fault) -> None:  # noqa: C901 - one line a fault
        match fault:
            case Fault.KILL:
                self._kill(process)
            case Fault.POWER:
                process.lose_power()
                self.witness.died(process)
            case Fault.STOP:
                process.stop()
                asyncio.get_running_loop().call_later(STOPPED_FOR, process.resume)
            case Fault.TERM:
                self.terminate(process)
                await asyncio.sleep(0)
            case Fault.PULUMI_KILLED | Fault.PULUMI_HANGS:
                asyncio.get_running_loop().call_later(1.5, self._hurt_pulumi, process, fault)
            case Fault.CLOCK | Fault.CLOCK_BACK:
                self.clock_jumped = True
                self.witness.world.ledger.skew += HOUR if fault is Fault.CLOCK else -HOUR
            case Fault.HANGS | Fault.LATE:
                await asyncio.sleep(TIMEOUT)
                self._raise(effect, Unreachable(f"{effect}: no answer within {TIMEOUT:g} s"))
            case Fault.DOWN:
                at = asyncio.get_running_loop().time()
                self.begin(Outage(System(effect.partition(".")[0]), at, OUTAGE))
            case Fault.OVERLOADED:
                self._more[process.name, effect] = 2
            case Fault.REFUSED | Fault.LOST:
                self._raise(effect, Unreachable(f"{effect}: {fault}"))
            case Fault.DENIED:
                self._raise(effect, AccessDenied(f"{effect}: {fault}"))
            case Fault.DISK_FULL:
                self._raise(effect, _disk_full(effect))
        await process.breathe()

    def terminate(self, process: Process) -> None:
        """Cancel a run as Prefect does."""
        process.signal(15)
        asyncio.get_running_loop().call_later(KILLED_AFTER, self._kill_unless_done, process)

    def begin(self, outage: Outage) -> None:
        """From now on the system does not answer, for so long."""
        self.outages[outage.system] = outage
        self.calm_at = max(self.calm_at, outage.at + outage.seconds)
        self.tell(outage.system, f"! does not answer for {outage.seconds:g} s")

    def _gone(self, system: str) -> bool:
        outage = self.outages.get(system)
        if outage is None:
            return False
        if asyncio.get_running_loop().time() < outage.at + outage.seconds:
            return True
        del self.outages[system]
        return False

    def _fail_on(self, process: Process, effect: str) -> None:
        if self._more:
            more = self._more.get((process.name, effect), 0)
            if more:
                self._more[process.name, effect] = more - 1
                self.witness.struck(process)
                self._raise(effect, Unreachable(f"{effect}: 429, try again later"))
        if self.outages and self._gone(effect.partition(".")[0]):
            self.witness.struck(process)
            self._raise(effect, Unreachable(f"{effect}: 503"))

    def _raise(self, effect: str, error: Exception) -> None:
        """Fail the call as the real client would: Pulumi's CLI tells by its end, not by status."""
        self.tell("", f"  {effect} fails: {error}")
        if effect == "stack.up":
            self.faults.before("stack.up", raising(Unreachable(str(error))))
            return
        if effect.startswith("ledger.") and isinstance(error, AccessDenied):
            raise LedgerUnusable(str(error))
        if effect == "stack.preview":
            raise PreviewFailed(str(error))
        if effect == "stack.refresh":
            raise ApplyFailed(str(error))
        raise error

    def _kill(self, process: Process) -> None:
        process.kill()
        self.witness.died(process)

    def _kill_unless_done(self, process: Process) -> None:
        if not process.dead and not all(each.done() for each in process.tasks):
            self.tell(process.name, "! killed: it had thirty seconds")
            self._kill(process)

    def _hurt_pulumi(self, process: Process, fault: Fault) -> None:
        for each in process.children:
            assert isinstance(each, Update)
            if fault is Fault.PULUMI_KILLED:
                each.lose_power()
            else:
                each.stubborn = True

    async def at_the_cluster(self, moment: str, effect: str) -> None:
        """Called by Pulumi itself where it reaches the cluster."""
        if moment == "before" and self.outages and self._gone(System.CLUSTER):
            if (pulumi := CURRENT.get()) is not None:
                self.witness.struck(pulumi.parent or pulumi)
            raise Unreachable(f"{effect}: no route to the API server")
        if effect == "stack.server-side-apply" and moment == "before":
            self.witness.applies(CURRENT.get())
        if moment == "after":
            self.witness.applied(CURRENT.get())


class Inside(Faults):
    """The faults inside the fakes: what Pulumi meets at the cluster, and those planted."""

    weather: Weather | None = None

    async def at(self, moment: str, effect: str) -> None:
        if self.weather is not None and effect == "builder.manifest":
            await self.weather.inside(effect)
        if self.weather is not None and effect in {"stack.server-side-apply", "stack.read-back"}:
            self.weather.tell("pulumi", f"{moment} {effect}")
            await self.weather.at_the_cluster(moment, effect)
        await super().at(moment, effect)


def _disk_full(effect: str) -> Exception:
    if effect.startswith("ledger."):
        return LedgerUnusable(f"{effect}: database or disk is full; make room")
    if effect == "builder.build":
        return BuildFailed(f"{effect}: no space left on device")
    return Unreachable(f"{effect}: no space left on device")

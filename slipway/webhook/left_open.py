"""Finds releases that a dead process left open, and has their stacks recovered.

Nobody else would: recovery runs before the next release of a stack, which may never come.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto

from slipway.domain.target import Target
from slipway.errors import SlipwayError
from slipway.ports import FlowRuns, LeftOpen, Processes, Releases, RunState
from slipway.webhook.keeping_on import apart, growing

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds. One query, of nine milliseconds; whatever is found waits for a worker besides."""
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 600.0
"""Seconds until a stack is tried again that recovery can't finish: a cluster that is away."""
PATIENCE = 3
"""Recoveries in a row that are followed at once where they were struck themselves."""
COMES_WITHIN = 20.0
"""Seconds after which a run that a worker has taken has come to work, or never will."""
GIVEN_UP_AFTER = 300.0
"""Seconds for which a recovery may still end by itself where nothing is left to recover."""


@dataclass(frozen=True, slots=True)
class Following:
    """The recovery of a stack that was started last, and what it is for."""

    run: str
    release: str
    fence: int
    """The lease's when it was started; a recovery that has come to work has taken it further."""
    nth: int
    """How many recoveries were started before it by the same fence."""
    vain: int
    """How many have left the same release open before it."""
    struck: int
    """How many of these, the last ones, have died instead of giving up."""
    again: float
    """When the next may be started, once this one has ended."""
    seen: int
    """The lease's fence when it was last looked at; further than `fence`, it has worked."""
    taken: float | None = None
    """Since when it is with a worker, or has left the release open."""
    is_done: bool = False
    """Whether it was followed by another, or had nothing left to do."""


class Gone(Enum):
    """What has become of a recovery that does not come to work any more."""

    ENDED = auto()
    STRUCK = auto()
    """Its process died, or its worker with it."""


class LeftReleases:
    """Asks the ledger by one query a look; Prefect, only where something is left."""

    def __init__(
        self, targets: Iterable[Target], ledger: Releases, runs: FlowRuns, processes: Processes
    ) -> None:
        self._ledger = ledger
        self._runs = runs
        self._processes = processes
        self._stacks: dict[str, Target] = {}
        self._following: dict[str, Following] = {}
        self._unended: dict[str, tuple[str, float]] = {}
        """Recoveries of which Prefect may not know that they are done: stack, at rest since."""
        self._told: dict[str, str] = {}
        """Stack, or "" for the ledger → what was said last of why nothing is started there."""
        for each in targets:
            self._stacks.setdefault(str(each.stack), each)

    async def run(self) -> None:
        """Look until cancelled."""
        log.info("watching for releases that a dead process left at %s", ", ".join(self._stacks))
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Start what is needed now; what can't be asked now is asked the next time."""
        try:
            found = await self._ledger.left_open()
        except SlipwayError as error:
            self._tell("", f"the ledger is not asked for what stands open: {error}")
            return
        self._told.pop("", None)
        left = {each.release.stack: each for each in reversed(found) if self._is_left(each)}
        for stack in left.keys() & self._stacks.keys():
            with apart(f"recovery of stack {stack}"):
                await self._look_at(stack, left[stack])
        await self._end_runs({each.release.stack for each in found})

    async def _look_at(self, stack: str, left: LeftOpen) -> None:
        try:
            await self._recover(stack, left)
        except SlipwayError as error:
            self._tell(stack, f"no recovery of stack {stack} is started: {error}")
        else:
            self._told.pop(stack, None)

    async def _end_runs(self, open_at: set[str]) -> None:
        """End recoveries in Prefect that died with their worker: nobody else tells it of them.

        Long after nothing is left at their stack: one that came to life then would find nothing.
        """
        for stack in self._following.keys() - open_at:
            self._is_done(stack, self._following[stack])
        for run, (stack, since) in list(self._unended.items()):
            if stack in open_at:
                self._unended[run] = (stack, _now())
            elif _now() - since >= GIVEN_UP_AFTER:
                await self._give_up(run, stack)

    async def _give_up(self, run: str, stack: str) -> None:
        try:
            await self._runs.give_up(run, "its worker died with it, and nothing is left to do")
        except SlipwayError as error:
            log.info("run %s is not ended in Prefect: %s", run, error)
            self._unended[run] = (stack, _now())
        else:
            del self._unended[run]

    def _is_done(self, stack: str, recovery: Following) -> None:
        if not recovery.is_done:
            self._following[stack] = replace(recovery, is_done=True)
            self._unended[recovery.run] = (stack, _now())

    def _tell(self, where: str, why: str) -> None:
        """Warn, unless that was said the last time too."""
        if self._told.get(where) != why:
            log.warning("%s", why)
        self._told[where] = why

    def _is_left(self, left: LeftOpen) -> bool:
        """Whether its process can't go on, and nobody else is at work at the stack.

        Who holds the lease, or has never had it and may still build, can where it is not proven
        dead.
        """
        if left.holder is not None and not self._processes.has_ended(left.holder.process):
            return False
        return left.release.fence > 0 or self._processes.has_ended(left.release.worker)

    async def _recover(self, stack: str, left: LeftOpen) -> None:
        """Start a recovery, unless the one that was started last is still to work, or resting."""
        now = _now()
        last = self._following.get(stack)
        if last is None:
            await self._start(stack, left, nth=0, vain=0, struck=0)
            return
        at_it = await self._look_after(last, left, now)
        if isinstance(at_it, Following):
            self._following[stack] = replace(at_it, again=now + _pause(last.vain))
            return
        self._is_done(stack, last)
        nth = last.nth + 1 if last.fence == left.fence else 0
        if last.release != left.release.id:
            await self._start(stack, left, nth=nth, vain=0, struck=0)
        elif at_it is Gone.STRUCK and last.struck < PATIENCE:
            await self._start(stack, left, nth=nth, vain=last.vain, struck=last.struck + 1)
        elif now >= last.again:
            struck = last.struck + 1 if at_it is Gone.STRUCK else 0
            await self._start(stack, left, nth=nth, vain=last.vain + 1, struck=struck)

    async def _look_after(self, last: Following, left: LeftOpen, now: float) -> Following | Gone:
        """What is known of a recovery that may still come to work, or is about to end.

        Prefect alone can't tell: of a worker that died with a run nobody tells it.
        """
        state = await self._runs.state(last.run)
        if state.is_over:
            return Gone.STRUCK if state is RunState.CRASHED else Gone.ENDED
        if state is RunState.WAITS:
            return last
        if last.taken is None or left.fence > last.seen:
            last = replace(last, taken=now, seen=left.fence)
        at_work = left.holder.process if left.holder else left.release.worker
        has_died = left.fence > last.fence and self._processes.has_ended(at_work)
        is_late = last.taken is not None and now - last.taken > COMES_WITHIN
        return Gone.STRUCK if has_died or is_late else last

    async def _start(self, stack: str, left: LeftOpen, *, nth: int, vain: int, struck: int) -> None:
        target, release = self._stacks[stack], left.release
        # The same for every watch until a recovery has taken the lease: so there is one run.
        key = f"slipway:recover:{stack}:{left.fence}:{nth}"
        run = await self._runs.start(recovery_of(target), {"target": target.name}, key)
        again = _now() + _pause(vain)
        self._following[stack] = Following(
            run, release.id, left.fence, nth, vain, struck, again, left.fence
        )
        log.warning(
            "release %s was left open at %s: run %s recovers the stack",
            release.id,
            release.target,
            run,
        )


def recovery_of(target: Target) -> str:
    """The Prefect deployment that recovers a target's stack."""
    return f"recover/{target.stack.deployment}"


def _now() -> float:
    return asyncio.get_running_loop().time()


def _pause(vain: int) -> float:
    return growing(FIRST_PAUSE, vain, LONGEST_PAUSE)

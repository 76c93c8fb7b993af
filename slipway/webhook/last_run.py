"""How far the run is that a delivery started last at a target: under way, over or lost.

Prefect alone can't tell: of a worker that died with a run nobody tells it. The ledger has the
release that a run opens as the first thing it does; what is left of that, recovery finishes.
"""

import asyncio
from dataclasses import dataclass, field
from enum import Enum, auto

from slipway.domain.delivery import StartedRun
from slipway.domain.release import Kind, Release, State
from slipway.ports import FlowRuns, Inbox, Ledger, RunState

BEGUN_WITHIN = 300.0
"""Seconds after which a run that a worker has taken has its release, or the worker died with it."""
RECENT = 20
"""Releases of the target among which the run's is looked for."""


class Progress(Enum):
    """How far a run is."""

    UNDER_WAY = auto()
    OVER = auto()
    LOST = auto()
    """It has done nothing, and will not."""


@dataclass(slots=True)
class LastRun:
    """Follows one target's; a run that is over is not asked for again."""

    target: str
    inbox: Inbox
    ledger: Ledger
    runs: FlowRuns
    _followed: str = field(default="", init=False)
    _since: float = field(default=0.0, init=False)
    _taken: float | None = field(default=None, init=False)
    _over: str = field(default="", init=False)
    _waits: bool = field(default=False, init=False)

    async def look(self) -> tuple[StartedRun, Progress] | None:
        """The run, and how far it is; None where no delivery has started one."""
        started = await self.inbox.started(self.target, limit=1)
        if not started:
            return None
        last, self._waits = started[0], False
        if last.run != self._followed:
            self._followed, self._since, self._taken = last.run, self._now(), None
        progress = Progress.OVER if last.run == self._over else await self._progress(last)
        if progress is Progress.OVER:
            self._over = last.run
        return last, progress

    @property
    def is_over(self) -> bool:
        """Whether the last look found it over, or none: nothing may still change what is live."""
        return self._followed == self._over

    @property
    def waits(self) -> bool:
        """Whether the last look found that no worker had taken it."""
        return self._waits

    @property
    def followed_for(self) -> float:
        """Seconds since the run was first looked at."""
        return self._now() - self._since

    def doubt(self) -> None:
        """Something did not answer: a run that was kept waiting by that gets its time anew."""
        self._taken = None

    def has_begun(self) -> None:
        """A worker has taken it just now: it has its time from now on."""
        self._since = self._now()

    def forget(self) -> None:
        """No other run is started instead of it."""
        self._over = self._followed

    async def _progress(self, last: StartedRun) -> Progress:
        history = await self.ledger.history(self.target, RECENT)
        its = next((each for each in history if each.request.prefect_run == last.run), None)
        if its is not None and not its.is_open:
            return Progress.OVER
        state = await self.runs.state(last.run)
        if state is RunState.ENDED:
            return Progress.OVER
        if its is not None:
            return Progress.OVER if state is RunState.CRASHED else Progress.UNDER_WAY
        if not self._is_late(state):
            return Progress.UNDER_WAY
        # Whoever has released here since has seen to the target, with this push before their eyes.
        is_answered = any(changes(each) and each.started > last.started for each in history)
        is_unwanted = is_answered or state is RunState.STOPPING
        return Progress.OVER if is_unwanted else Progress.LOST

    def _is_late(self, state: RunState) -> bool:
        """Whether a run that has no release will not open one any more."""
        if state is RunState.WAITS:
            self._taken, self._waits = None, True
            return False
        if self._taken is None:
            self._taken = self._now()
        return state is RunState.CRASHED or self._now() - self._taken > BEGUN_WITHIN

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def changes(release: Release) -> bool:
    """Whether a release says anything of what is to run: refused, it has changed nothing."""
    return release.kind is not Kind.ADOPTED and release.state is not State.REFUSED

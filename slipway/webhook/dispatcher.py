"""From the inbox to flow runs: each delivery ends in exactly one outcome at each of its targets.

Every target has a lane of its own, so that one that fails keeps nobody else waiting. A lane looks
at what waits, and nothing it does depends on what it did before: a process that dies between two
steps is continued by the next one. Where it may have started a run without knowing, it makes sure
of that before it looks at anything else.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from slipway.domain.coalescing import which_runs
from slipway.domain.commit import Commit
from slipway.domain.delivery import WORKFLOW_RUN, Ending, Outcome, Push, PushAt, StartedRun
from slipway.domain.pushed import folder_absent, judge_push
from slipway.errors import SlipwayError
from slipway.ports import FlowRuns, Inbox, Ledger
from slipway.webhook.arrivals import Arrivals, not_there_yet
from slipway.webhook.ending import Endings
from slipway.webhook.facts import about_source, about_target, is_wanted
from slipway.webhook.keeping_on import growing
from slipway.webhook.last_run import LastRun, Progress
from slipway.webhook.starting import Starting
from slipway.webhook.telling import Telling
from slipway.webhook.watched import WatchedTarget

log = logging.getLogger(__name__)

LOOK_EVERY = 30.0
"""Seconds between looks without being woken: another receiver may have kept something."""
FOLLOW_EVERY = 2.0
"""Seconds between looks at a run that newer deliveries wait for."""
LONGEST_PAUSE = 60.0
"""Seconds between attempts while something does not answer."""
LONGEST_RUN = 3600.0
"""Seconds after which newer deliveries wait for a run no more; one that only waits gives way."""
REMEMBERED = 1000
"""Pushes of a branch among which one that rewrote it is looked for."""
ATTEMPTS = 3
"""Runs of a commit at a target, while each is lost with its worker; a person's have no key."""


@dataclass(slots=True)
class Lane:
    """One target's deliveries, in turn."""

    watched: WatchedTarget
    inbox: Inbox
    ledger: Ledger
    runs: FlowRuns
    telling: Telling
    woken: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _failures: int = field(default=0, init=False)
    _wakeable: bool = field(default=True, init=False)
    """Whoever is down or busy is not asked more often because more is waiting."""
    _arriving: Arrivals = field(default_factory=Arrivals, init=False)
    _passing: Arrivals = field(default_factory=Arrivals, init=False)
    """Likewise, of pushes that a workflow answers."""
    _last: LastRun = field(init=False)
    _starting: Starting = field(init=False)
    _endings: Endings = field(init=False)
    _doubted: bool = field(default=False, init=False)
    """Whether the last run was in doubt right now: where it only waits, it gives way at once."""
    _said: tuple[object, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        self._last = LastRun(self.name, self.inbox, self.ledger, self.runs)
        self._starting = Starting(self.name, self.inbox, self.ledger, self.runs)
        self._endings = Endings(self.watched, self.inbox, self.telling)

    @property
    def name(self) -> str:
        """The target's name."""
        return self.watched.target.name

    async def run(self) -> None:
        """Serve for ever."""
        while True:
            self.woken.clear()
            pause = await self.look()
            if not self._wakeable:
                await asyncio.sleep(pause)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self.woken.wait()

    async def look(self) -> float:
        """Do what can be done now; the seconds until there is reason to look again."""
        self._wakeable = True
        waiting: Sequence[PushAt] = ()
        try:
            waiting = await self.inbox.waiting(self.name)
            self._doubted = await self._starting.end_doubts()
            if self._doubted:
                waiting = await self.inbox.waiting(self.name)
            pause = await self._serve(waiting) if waiting else await self._look_after_last_run()
        except SlipwayError as error:
            return await self._fail(waiting, error)
        except Exception as error:
            log.exception("deliveries for %s wait: a defect", self.name)
            return await self._fail(waiting, error)
        self._failures = 0
        return pause

    async def _fail(self, waiting: Sequence[PushAt], error: Exception) -> float:
        self._failures, self._wakeable = self._failures + 1, False
        self._last.doubt()
        pause = growing(1.0, self._failures - 1, LONGEST_PAUSE)
        log.warning("deliveries for %s wait %g s: %s", self.name, pause, error)
        # It is said for people only, and where the ledger is what fails it can't be.
        try:
            await self._put_off(waiting, str(error))
        except SlipwayError as silent:
            log.debug("%s: not written down: %s", self.name, silent)
        except Exception:
            log.exception("%s: not written down: a defect", self.name)
        return pause

    async def _put_off(self, waiting: Sequence[PushAt], why: str) -> None:
        """Say once what is waited for, not at every look."""
        saying = (why, *(each.number for each in waiting))
        if saying != self._said:
            await self.inbox.put_off(waiting, why)
            self._said = saying

    async def _serve(self, waiting: Sequence[PushAt]) -> float:
        if not (waiting := await self._triggers(waiting)):
            return LOOK_EVERY
        if (run := await self._run_before(waiting)) is not None:
            await self._put_off(waiting, f"run {run.run} is under way; the newest is next")
            self._wakeable = False
            return FOLLOW_EVERY
        behind = await self._behind(waiting)
        there = [each for each in waiting if each.push.after in behind]
        late = self._arriving.late(waiting, behind)
        gone = [each for each in waiting if each not in there and each not in late]
        # Each by itself: what is there says nothing of them, and may be older.
        for each in gone:
            ending = await self._decide(each, on_line=False)
            await self._endings.tell({each.push.after: ending})
        if there:
            await self._deal_with(there, behind)
        if there or gone:
            return FOLLOW_EVERY if late else LOOK_EVERY
        raise not_there_yet(late[0])

    async def _triggers(self, waiting: Sequence[PushAt]) -> Sequence[PushAt]:
        """What may start a run here: a push, or the end of the workflow that builds the image."""
        workflow = self.watched.target.workflow
        triggers = [each for each in waiting if (each.event == WORKFLOW_RUN) == bool(workflow)]
        others = [each for each in waiting if (each.event == WORKFLOW_RUN) != bool(workflow)]
        if others and workflow:
            late = await self._pass_by(others)
            if late and not triggers:
                raise not_there_yet(late[0])
        elif others:
            await self._ignore(others, f"Slipway builds the image of {self.name}")
        return triggers

    async def _pass_by(self, pushes: Sequence[PushAt]) -> Sequence[PushAt]:
        """End pushes that a workflow answers; those that git may show yet are left, and returned.

        No workflow ends well of a folder that is not there: that is for the push to tell.
        """
        behind = await self._behind(pushes)
        there = [each for each in pushes if each.push.after in behind]
        late = self._passing.late(pushes, behind)
        rest = [each for each in pushes if each not in late]
        if there:
            newest = _newest(there, behind)
            after, folder = newest.push.after, self.watched.target.service.folder
            if not await self.watched.source.repository.has_folder(after, folder):
                rest.remove(newest)
                await self._endings.end([newest], gone := folder_absent(after))
                await self._endings.tell({after: gone})
        workflow = f"workflow {self.watched.target.workflow} builds the image of {self.name}"
        await self._ignore(rest, f"{workflow}; its end is what deploys")
        return late

    async def _ignore(self, these: Sequence[PushAt], why: str) -> None:
        if these:
            await self._endings.end(these, Ending(Outcome.IGNORED, f"not-the-trigger: {why}"))

    async def _behind(self, waiting: Sequence[PushAt], *more: Push) -> Mapping[Commit, int]:
        pushes = [*more, *(each.push for each in waiting)]
        return await self.watched.source.pushed(pushes, self.watched.target.branch)

    async def _deal_with(self, waiting: Sequence[PushAt], behind: Mapping[Commit, int]) -> None:
        newest = _newest(waiting, behind)
        # First the others: should this process die now, none of them may be taken for the newest.
        others = [each for each in waiting if each is not newest]
        superseded = await self._supersede(others, newest)
        # One that was not: another process is about to start it.
        if others and await self.inbox.in_doubt(self.name):
            return
        ending = await self._decide(newest, on_line=True)
        # In this order: another delivery of the newest commit ends as that commit did.
        ends = {each.push.after: superseded for each in others} | {newest.push.after: ending}
        await self._endings.tell(ends)

    async def _run_before(self, waiting: Sequence[PushAt]) -> StartedRun | None:
        """The run that a delivery started here last, while those that wait must wait for it.

        Of a run that no worker takes, and a newer commit, only the newer one is built.
        """
        last = await self._last.look()
        if last is None or last[1] is not Progress.UNDER_WAY:
            return None
        run, is_old = last[0], self._last.followed_for > LONGEST_RUN
        if self._last.waits and (is_old or self._doubted):
            newer = await self._newer_than(run, waiting)
            if newer is not None:
                return None if await self._withdraw(run, newer) else run
        return None if is_old else run

    async def _newer_than(self, run: StartedRun, waiting: Sequence[PushAt]) -> PushAt | None:
        behind = await self._behind(waiting, run.push.push)
        there = [each for each in waiting if each.push.after in behind]
        if not there:
            return None
        newest = _newest(there, behind)
        is_newer = behind[newest.push.after] < behind.get(run.commit, math.inf)
        return newest if is_newer else None

    async def _withdraw(self, run: StartedRun, newer: PushAt) -> bool:
        """Whether it was ended before a worker had taken it, and its commit is told so."""
        why = (
            f"superseded: by {newer.push.after} of delivery {newer.delivery}, before a worker "
            f"had taken run {run.run}"
        )
        if not await self.runs.withdraw(run.run, why):
            self._last.has_begun()
            return False
        await self._last.look()
        await self.inbox.remark(run, why)
        log.warning("delivery %s for %s: %s", run.push.delivery, self.name, why)
        self._endings.say(run.commit, Ending(Outcome.SUPERSEDED, why), self.runs.link(run.run))
        return True

    async def _look_after_last_run(self) -> float:
        """Start it again if it was lost: nobody else would, and no newer delivery is here to."""
        last = await self._last.look()
        if last is not None and last[1] is Progress.LOST:
            if await self._is_wanted(last[0]):
                await self._start_again(last[0])
            else:
                self._last.forget()
        return LOOK_EVERY

    async def _is_wanted(self, lost: StartedRun) -> bool:
        pushes = await self.inbox.pushes(lost.push.repository, lost.push.push.branch)
        return await is_wanted(lost, pushes, self.watched.target.service, self.watched.source)

    async def _start_again(self, lost: StartedRun) -> None:
        if lost.attempt >= ATTEMPTS:
            self._give_up(lost)
            return
        why = "lost: its worker died before it had begun; the next attempt does what it was for"
        await self.runs.give_up(lost.run, why)
        last = await self._last.look()
        if last is None or last[1] is not Progress.LOST:
            return  # it has begun right now
        await self._starting.start_again(lost)

    def _give_up(self, lost: StartedRun) -> None:
        """Leave it to a person, and say so where people look."""
        why = (
            f"workers-lost: run {lost.run} was lost with its worker, like all of its "
            f"{lost.attempt} attempts: see to the workers, then slipway deploy {self.name} "
            f"{lost.commit}"
        )
        log.error("%s", why)
        self._endings.say(lost.commit, Ending(Outcome.REFUSED, why), self.runs.link(lost.run))
        self._last.forget()

    async def _supersede(self, others: Sequence[PushAt], newest: PushAt) -> Ending:
        why = f"superseded: by {newest.push.after} of delivery {newest.delivery}"
        ending = Ending(Outcome.SUPERSEDED, why)
        if others:
            await self._endings.end(others, ending)
        return ending

    async def _decide(self, newest: PushAt, *, on_line: bool) -> Ending | None:
        """End a delivery, mostly by starting its run; None where another process does."""
        target, push = self.watched.target, newest.push
        source = self.watched.source.repository
        here = await about_target(newest, target, self.ledger, self.inbox, source)
        if not self._last.is_over:
            here = replace(here, settled=False)
        pushes = await self.inbox.pushes(newest.repository, push.branch, REMEMBERED)
        there = await about_source(push, target, here, pushes, source, on_line=on_line)
        if (ending := judge_push(push, there, here)) is None:
            return await self._starting.start(newest)
        await self._endings.end([newest], ending)
        return ending


def _newest(there: Sequence[PushAt], behind: Mapping[Commit, int]) -> PushAt:
    """Of pushes whose commits git shows, the one that is built."""
    return there[which_runs([each.push.after for each in there], behind)]


class Dispatcher:
    """Serves every target's deliveries at the same time."""

    def __init__(
        self, watched: Iterable[WatchedTarget], inbox: Inbox, ledger: Ledger, runs: FlowRuns
    ) -> None:
        self._telling = Telling()
        self.lanes = {
            each.target.name: Lane(each, inbox, ledger, runs, self._telling) for each in watched
        }

    def wake(self, targets: Iterable[str]) -> None:
        """Say that something was kept for these targets."""
        for name in targets:
            if (lane := self.lanes.get(name)) is not None:
                lane.woken.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._telling.run())
            for lane in self.lanes.values():
                group.create_task(lane.run())

"""The release's row in the ledger, while the release is worked on."""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

from slipway.domain.commit import Commit
from slipway.domain.gates import left_by, shown_left
from slipway.domain.hold import Lift, Restriction
from slipway.domain.journal import Note, observed
from slipway.domain.process import ProcessIdentity
from slipway.domain.release import Outcome, Phase, Release, Request, State, reason
from slipway.domain.rollout import Proof
from slipway.errors import ReleaseChanged, SlipwayError, Superseded
from slipway.ports import Ledger, Ports, WriteBack
from slipway.tasks.policies import SECONDS_BETWEEN_TRIES, repeatable, with_tries
from slipway.tasks.report import show_progress
from slipway.tasks.telling import Teller

log = logging.getLogger(__name__)


class Record:
    """Keeps the newest committed row; every change is in the ledger before a method returns.

    Saving is also the check of the fence: after a takeover it raises `LeaseLost`, so whoever saves
    before each effect can't have an effect that is no longer theirs.
    """

    def __init__(
        self, ledger: Ledger, release: Release, write_back: WriteBack | None = None
    ) -> None:
        """Go on with a release that the ledger already has."""
        self._ledger = ledger
        self._teller = Teller(write_back)
        self.release = release
        self.proof: Proof | None = None
        """What has proven the image that runs at its end, once something has."""
        self.interrupted = ""
        """The release that this one has asked to end, if any."""
        self.rolled_away_from: Commit | None = None
        """What a rollback keeps away where its baseline does not tell: it has none of its own."""
        self._asked_to_end = ""
        self._working: asyncio.Task[Any] | None = None
        self._times = [(release.phase.value, asyncio.get_running_loop().time())]

    async def note(self, phase: Phase | None = None, *entries: Note, **facts: Any) -> None:
        """Commit facts, the phase that is about to begin, and what the journal tells of it.

        An intent is committed by this before its effect is tried.
        """
        changed = replace(self.release, **facts)
        self.release = await self._ledger.save(changed.at(phase) if phase else changed, *entries)
        if phase is not None:
            self._times.append((phase.value, asyncio.get_running_loop().time()))
            show_progress(self.release)
            self._teller.tell(self.release)

    async def take_over(self, fence: int, worker: ProcessIdentity | None) -> bool:
        """Go on with a release of somebody else's; False where it has ended after all.

        A save of its process may have been under way when the lease was taken. From then on it can
        begin no other, so what is read after that one is the last of it.
        """
        try:
            await self.note(fence=fence, worker=worker)
        except ReleaseChanged as error:
            log.info("%s", error)
            self.release = await self._ledger.find(self.release.id) or self.release
            if self.release.is_open:
                await self.note(fence=fence, worker=worker)
        return self.release.is_open

    async def happened(self, phase: Phase | None = None, *entries: Note, **facts: Any) -> None:
        """`note` what can't be taken back by not noting it: a ledger that blinks is asked again.

        An answer that was lost may leave an observation in the journal twice.
        """
        tries = SECONDS_BETWEEN_TRIES
        await with_tries(self.note, "record what has happened", tries, phase, *entries, **facts)

    async def journal(self, *entries: Note) -> None:
        """Commit what the journal is to tell, and nothing else."""
        self.release = await self._ledger.save(self.release, *entries)

    async def to(
        self, state: State, reason: str = "", over: Mapping[str, Lift | None] | None = None
    ) -> None:
        """Commit another state, and with it what it leaves behind and which holds are `over`.

        An end is logged with its reason.
        """
        reached = self.release.to(state, reason)
        beside: dict[str, Restriction | None] = {**(over or {})}
        left = left_by(reached, self.rolled_away_from)
        if left is not None:
            beside[shown_left(left, reached.target)] = left
        notes = tuple(dict.fromkeys((*reached.notes, *beside)))
        entries = [each for each in beside.values() if each is not None]
        self.release = await self._ledger.save(replace(reached, notes=notes), *entries)
        self._times.append((state.value, asyncio.get_running_loop().time()))
        level = logging.INFO if state in {State.LIVE, State.RESTORING} else logging.WARNING
        log.log(level, "release %s is %s: %s", self.release.id, state, self.release.reason)
        self._teller.tell(self.release)

    @contextlib.asynccontextmanager
    async def observing(self, step: str) -> AsyncIterator[None]:
        """Journal whatever an effect raises; one that ends well is noted with what came of it."""
        try:
            yield
        except BaseException as error:
            # Only a witness: what is raised decides, also where nothing can be written any more.
            with contextlib.suppress(SlipwayError):
                await self.journal(observed(step, failed=_told(error)))
            raise

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Work that ends by `Superseded` as soon as somebody has asked the release to end."""
        self._working = asyncio.current_task()
        if self._asked_to_end:
            raise Superseded(self._asked_to_end)
        try:
            yield
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if not self._asked_to_end or task is None or task.uncancel():
                raise
            raise Superseded(self._asked_to_end) from error
        finally:
            self._working = None

    def ask_to_end(self, why: str) -> None:
        """End the interruptible work, once; what is being restored goes on."""
        if self._asked_to_end:
            return
        self._asked_to_end = why
        log.warning("release %s is asked to end: %s", self.release.id, why)
        if self._working is not None:
            self._working.cancel()

    async def look_again(self) -> None:
        """Read the row as whoever took the release over has left it."""
        try:
            self.release = await self._ledger.find(self.release.id) or self.release
        except SlipwayError as error:
            log.warning("release %s can't be read again: %s", self.release.id, error)
        log.warning("release %s was taken over: it is %s", self.release.id, self.release.state)

    @property
    def durations(self) -> list[tuple[str, float]]:
        """How many seconds each step took, by the name of what it ended in."""
        pairs = itertools.pairwise(self._times)
        return [(name, at - since) for (_, since), (name, at) in pairs]

    @property
    def outcome(self) -> Outcome:
        """How it ended, or stands."""
        return Outcome(self.release)


def _told(error: BaseException) -> str:
    return reason(error) if isinstance(error, SlipwayError) else type(error).__name__


@repeatable("open the release")
async def open_record(ports: Ports, request: Request) -> Record:
    """Open a release in the ledger. A repeat may leave an earlier row behind: recovery ends it."""
    release = await ports.ledger.open(ports.target, request)
    log.info(
        "release %s: %s %s at %s, asked for by %s",
        release.id,
        request.kind,
        request.wanted,
        ports.target.name,
        request.requested_by,
    )
    record = Record(ports.ledger, release, ports.write_back)
    if (worker := ports.processes.own()) is not None:
        await record.note(worker=worker)
    return record

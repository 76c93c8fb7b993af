"""The release's row in the ledger, while the release is worked on."""

import asyncio
import itertools
import logging
from dataclasses import replace
from typing import Any

from slipway.domain.release import Outcome, Phase, Release, Request, State
from slipway.domain.rollout import Proof
from slipway.ports import Ledger, Ports
from slipway.tasks.policies import repeatable
from slipway.tasks.report import show_progress

log = logging.getLogger(__name__)


class Record:
    """Keeps the newest committed row; every change is in the ledger before a method returns.

    Saving is also the check of the fence: after a takeover it raises `LeaseLost`, so whoever saves
    before each effect can't have an effect that is no longer theirs.
    """

    def __init__(self, ledger: Ledger, release: Release) -> None:
        """Go on with a release that the ledger already has."""
        self._ledger = ledger
        self.release = release
        self.proof: Proof | None = None
        """What has proven the image that runs at its end, once something has."""
        self._times = [(release.phase.value, asyncio.get_running_loop().time())]

    async def note(self, phase: Phase | None = None, **facts: Any) -> None:
        """Commit facts, and the phase that is about to begin."""
        changed = replace(self.release, **facts)
        self.release = await self._ledger.save(changed.at(phase) if phase else changed)
        if phase is not None:
            self._times.append((phase.value, asyncio.get_running_loop().time()))
            await show_progress(self.release)

    async def check_fence(self) -> None:
        """`LeaseLost` when the release was taken over since the last save; before each effect."""
        await self.note()

    async def to(self, state: State, reason: str = "") -> None:
        """Commit another state; an end is logged with its reason."""
        self.release = await self._ledger.save(self.release.to(state, reason))
        self._times.append((state.value, asyncio.get_running_loop().time()))
        level = logging.INFO if state in {State.LIVE, State.RESTORING} else logging.WARNING
        log.log(level, "release %s is %s: %s", self.release.id, state, self.release.reason)

    async def look_again(self) -> None:
        """Read the row as whoever took the release over has left it."""
        rows = await self._ledger.history(self.release.target)
        self.release = next((each for each in rows if each.id == self.release.id), self.release)
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
    return Record(ports.ledger, release)

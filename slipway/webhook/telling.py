"""Tells GitHub of pushes that end without a run: best effort, behind the dispatcher's back."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

from slipway.domain.commit import Commit
from slipway.domain.write_back import CommitStatus
from slipway.errors import SlipwayError, Unreachable
from slipway.ports import CommitStatuses

log = logging.getLogger(__name__)

MOST_WAITING = 1000
"""Statuses that may wait; beyond them the oldest are forgotten."""
PAUSES = (1.0, 10.0, 60.0)
"""Seconds between attempts while GitHub does not answer."""


class Telling:
    """Sends one status at a time."""

    def __init__(self, pauses: Sequence[float] = PAUSES) -> None:
        """Between attempts it waits as `pauses` says."""
        self._pauses = pauses
        self._waiting: deque[tuple[CommitStatuses, Commit, CommitStatus]] = deque(
            maxlen=MOST_WAITING
        )
        self._woken = asyncio.Event()
        self._silent: list[CommitStatuses] = []
        """Where the token may not: it is warned of once, until the process starts anew."""

    def tell(self, host: CommitStatuses, commit: Commit, status: CommitStatus) -> None:
        """Say soon what a commit is at a target."""
        if host not in self._silent:
            self._waiting.append((host, commit, status))
            self._woken.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                await self._send(*self._waiting.popleft())

    async def _send(self, host: CommitStatuses, commit: Commit, status: CommitStatus) -> None:
        try:
            await self._patiently(host, commit, status)
        except Unreachable as error:
            log.warning("%s was not told what it is at %s: %s", commit, status.target, error)
        except SlipwayError as error:
            self._silent.append(host)
            log.warning("%s is not told what it is at %s: %s", commit, status.target, error)
        except Exception:
            log.exception("%s was not told what it is at %s: a defect", commit, status.target)

    async def _patiently(self, host: CommitStatuses, commit: Commit, status: CommitStatus) -> None:
        for pause in self._pauses:
            try:
                return await host.set_status(commit, status)
            except Unreachable as error:
                log.debug("%s: trying again in %g s", error, pause)
                await asyncio.sleep(pause)
        return await host.set_status(commit, status)

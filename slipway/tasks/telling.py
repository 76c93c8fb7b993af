"""Tells where the commits come from what becomes of them: best effort, behind the release's back.

No step waits for it, nothing depends on it, and what can't be told is a warning and no more.
"""

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable, Sequence

from slipway.domain.release import Release, State
from slipway.domain.write_back import (
    DeploymentState,
    DeploymentStatus,
    commit_status,
    deployment_status,
    short,
)
from slipway.errors import SlipwayError, Unreachable
from slipway.ports import WriteBack
from slipway.tasks.policies import in_flow_run, run_address

log = logging.getLogger(__name__)

PAUSES = (1.0, 3.0)
"""Seconds between attempts while the code host does not answer; one that was away is asked once."""
LAST_WORD_WITHIN = 5.0
"""Seconds that the end of a release may take to be told, once everything else is done."""
Say = Callable[[Release], Awaitable[None]]
_telling: weakref.WeakSet[asyncio.Task[None]] = weakref.WeakSet()
"""What is being told in this process."""


class Teller:
    """Tells of one release: of several states that come while one is told, the newest."""

    def __init__(self, write_back: WriteBack | None) -> None:
        """With nobody to tell, nothing happens."""
        self._write_back = write_back
        self._wanted: Release | None = None
        self._telling: asyncio.Task[None] | None = None
        self._deployment: int | None = None
        self._said: dict[Say, object] = {}
        """What each was told last: many steps of a release look the same from outside."""
        self._pauses: Sequence[float] = PAUSES
        self._silent: set[Say] = set()
        """What was refused for good: it is warned of once."""

    def tell(self, release: Release) -> None:
        """Tell this soon."""
        if self._write_back is None or release.commit is None:
            return
        self._wanted = release
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._keep_up())
            _telling.add(self._telling)

    async def _keep_up(self) -> None:
        while self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            for say in (self._say_status, self._say_deployment):
                await self._try(say, wanted)

    async def _try(self, say: Say, release: Release) -> None:
        if say in self._silent:
            return
        try:
            await _patiently(say, release, self._pauses)
            self._pauses = PAUSES
        except Unreachable as error:
            self._pauses = ()
            log.warning(
                "%s was not told what it is at %s: %s", release.commit, release.target, error
            )
        except SlipwayError as error:
            self._silent.add(say)
            log.warning(
                "%s is not told what it is at %s: %s", release.commit, release.target, error
            )
        except Exception:
            self._silent.add(say)
            log.warning("nothing more is told: a defect, report it", exc_info=True)

    async def _say_status(self, release: Release) -> None:
        assert self._write_back is not None  # noqa: S101 - `tell` has seen to it
        assert release.commit is not None  # noqa: S101 - likewise
        status = commit_status(release, run_link(release))
        if self._said.get(self._say_status) != (status.state, release.state):
            await self._write_back.set_status(release.commit, status)
            self._said[self._say_status] = status.state, release.state

    async def _say_deployment(self, release: Release) -> None:
        assert self._write_back is not None  # noqa: S101 - `tell` has seen to it
        status = deployment_status(release, run_link(release))
        if self._said.get(self._say_deployment) == (status.state, release.state):
            return
        if self._deployment is None:
            self._deployment = await self._write_back.open_deployment(release)
        await self._write_back.set_progress(self._deployment, status)
        if release.state is State.LIVE:
            await self._write_back.retire_others(
                release.target, self._deployment, _replaced(release)
            )
        self._said[self._say_deployment] = status.state, release.state


async def last_words() -> None:
    """Wait until everything is told, but not for long: no lease may be held meanwhile."""
    loop = asyncio.get_running_loop()
    mine = {each for each in _telling if each.get_loop() is loop and not each.done()}
    if not mine:
        return
    _, late = await asyncio.wait(mine, timeout=LAST_WORD_WITHIN)
    for each in late:
        each.cancel()
    if late:
        log.warning("not everything was told within %g s: see slipway history", LAST_WORD_WITHIN)


async def _patiently(say: Say, release: Release, pauses: Sequence[float]) -> None:
    for pause in pauses:
        try:
            return await say(release)
        except Unreachable as error:
            log.debug("%s: trying again in %g s", error, pause)
            await asyncio.sleep(pause)
    return await say(release)


def _replaced(release: Release) -> DeploymentStatus:
    return DeploymentStatus(
        DeploymentState.INACTIVE,
        short(f"{release.kind} of {release.commit} is live instead"),
        run_link(release),
    )


def run_link(release: Release) -> str:
    """Where Prefect shows the release's run; empty where there is none."""
    if not release.request.prefect_run or not in_flow_run():
        return ""
    return run_address(release.request.prefect_run)

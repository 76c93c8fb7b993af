"""Finds ends of workflows that GitHub did not deliver, for targets whose images workflows build.

GitHub is asked which push the workflow has ended well for last, where the token may read that. What
was missed is put into the inbox as a delivery like others.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from slipway.domain.commit import Commit
from slipway.domain.delivery import WORKFLOW_RUN, Delivery, Push
from slipway.errors import SlipwayError
from slipway.ports import Inbox
from slipway.webhook.keeping_on import apart
from slipway.webhook.missed import LOOK_EVERY, came_too_soon, digest_of, id_of
from slipway.webhook.watched import WatchedTarget

log = logging.getLogger(__name__)


class MissedBuilds:
    """Looks at the workflows of targets, and heals what is missing in the inbox."""

    def __init__(
        self,
        watched: Iterable[WatchedTarget],
        inbox: Inbox,
        wake: Callable[[Sequence[str]], None],
    ) -> None:
        self._watched = [each for each in watched if each.target.workflow and each.builds]
        self._inbox = inbox
        self._wake = wake
        self._seen: dict[str, Commit | None] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            for each in self._watched:
                with apart(f"missed ends of {each.target.workflow}"):
                    await self.look(each)
            await asyncio.sleep(LOOK_EVERY)

    async def look(self, watched: WatchedTarget) -> None:
        """Look at one target's workflow; what can't be asked now is asked the next time."""
        target, builds = watched.target, watched.builds
        if builds is None:
            return
        try:
            newest = await builds.newest_success(target.workflow, target.branch)
            # Its end may still be on its way: missed is what did not come between two looks.
            if newest is not None and self._seen.get(target.name) == newest:
                await self._heal(watched, newest)
            self._seen[target.name] = newest
        except SlipwayError as error:
            log.warning(
                "%s of %s is not asked for missed ends: %s", target.workflow, watched.github, error
            )

    async def _heal(self, watched: WatchedTarget, newest: Commit) -> None:
        target = watched.target
        ends = [
            each
            for each in await self._inbox.received_at(target.name)
            if each.push.event == WORKFLOW_RUN
        ]
        times = sum(each.push.push.after == newest for each in ends)
        if times and not came_too_soon(ends, newest):
            return
        if not (ends or await self._was_pushed(watched, newest)):
            return
        digest = digest_of(target.name, target.workflow, newest.sha, str(times))
        id_ = id_of(newest, digest)
        push = Push(target.branch, None, newest)
        delivery = Delivery(id_, digest, WORKFLOW_RUN, watched.github, "", push, (target.name,))
        [receipt] = await self._inbox.receive([delivery])
        if receipt.is_new:
            log.warning(
                "%s has ended for %s of %s, and that was not delivered: it is now",
                target.workflow,
                newest,
                watched.github,
            )
            self._wake([target.name])

    async def _was_pushed(self, watched: WatchedTarget, commit: Commit) -> bool:
        """Whether somebody asked for it: before the first delivery nobody has."""
        pushes = await self._inbox.pushes(watched.github, watched.target.branch)
        return any(each.after == commit for each in pushes)

"""Finds ends of workflows that GitHub did not deliver, for targets whose images workflows build.

GitHub is asked which push the workflow has ended well for last, where the token may read that. What
was missed is put into the inbox as a delivery like others.
"""

import logging
from collections.abc import Callable, Iterable, Sequence

from slipway.domain.commit import Commit
from slipway.domain.delivery import WORKFLOW_RUN, Push
from slipway.domain.undelivered import came_too_soon
from slipway.errors import SlipwayError
from slipway.ports import Inbox
from slipway.webhook.healing import Healing
from slipway.webhook.keeping_on import look_at_each
from slipway.webhook.missed import LOOK_EVERY
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
        self._watched = {
            each.target.name: (each, each.builds)
            for each in watched
            if each.target.workflow and each.builds
        }
        self._inbox = inbox
        self._healing = Healing(inbox, wake)
        self._seen: dict[str, Commit | None] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        await look_at_each(self._watched, self.look, LOOK_EVERY)

    async def look(self, name: str) -> None:
        """Look at one target's workflow; what can't be asked now is asked the next time."""
        watched, builds = self._watched[name]
        target = watched.target
        try:
            newest = await builds.newest_success(target.workflow, target.branch)
            # Its end may still be on its way: missed is what did not come between two looks.
            if newest is not None and self._seen.get(name) == newest:
                await self._heal(watched, newest)
            self._seen[name] = newest
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
        # Of one that was forced away nothing is deployed, however often its end is told.
        if newest not in await watched.source.behind_now([newest], target.branch):
            return
        push, github = Push(target.branch, None, newest), watched.github
        said = (target.name, target.workflow, newest.sha, str(times))
        if await self._healing.deliver(WORKFLOW_RUN, github, push, (target.name,), *said):
            log.warning(
                "%s has ended for %s of %s, and that was not delivered: it is now",
                target.workflow,
                newest,
                github,
            )

    async def _was_pushed(self, watched: WatchedTarget, commit: Commit) -> bool:
        """Whether somebody asked for it: before the first delivery nobody has."""
        pushes = await self._inbox.pushes(watched.github, watched.target.branch)
        return any(each.after == commit for each in pushes)

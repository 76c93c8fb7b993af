"""Finds pushes that GitHub did not deliver: it tries once, and not at all above 25 MB.

The branch's head in our own mirror is compared with what was received. What was missed is put into
the inbox as a delivery like others, so that it is decided and dispatched as they are.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from slipway.domain.commit import Commit
from slipway.domain.delivery import Push
from slipway.domain.undelivered import came_too_soon, leads_to
from slipway.errors import SlipwayError
from slipway.ports import Inbox
from slipway.webhook.healing import MISSED, Healing
from slipway.webhook.keeping_on import look_at_each
from slipway.webhook.watched import SharedSource, WatchedTarget

log = logging.getLogger(__name__)

LOOK_EVERY = 300.0
"""Seconds. A head is missed when no delivery of it came between one look and the next."""

BEHIND_FOR = 3600.0
"""Seconds that git is believed to be behind a push."""

Branch = tuple[str, str]
"""A repository's name at GitHub, and a branch of it."""


class MissedPushes:
    """Looks at the branches of targets, and heals what is missing in the inbox."""

    def __init__(
        self,
        watched: Iterable[WatchedTarget],
        inbox: Inbox,
        wake: Callable[[Sequence[str]], None],
    ) -> None:
        self._inbox = inbox
        self._healing = Healing(inbox, wake)
        self._branches: dict[Branch, tuple[SharedSource, list[str]]] = {}
        self._seen: dict[Branch, Commit] = {}
        self._behind: dict[Branch, tuple[Commit, float]] = {}
        """Since when a head is shown that a push has left for a commit which is not."""
        for each in watched:
            branch = (each.github.lower(), each.target.branch)  # as GitHub compares names
            self._branches.setdefault(branch, (each.source, []))[1].append(each.target.name)

    async def run(self) -> None:
        """Look until cancelled."""
        await look_at_each(self._branches, self.look, LOOK_EVERY)

    async def look(self, branch: Branch) -> None:
        """Compare one branch; what can't be looked at now is looked at the next time."""
        source, targets = self._branches[branch]
        try:
            head = await source.newest(branch[1])
            if self._seen.get(branch) == head:
                await self._heal(branch, source, head, targets)
            self._seen[branch] = head
        except SlipwayError as error:
            log.warning(
                "%s of %s is not looked at for missed pushes: %s", branch[1], branch[0], error
            )

    async def _heal(
        self, branch: Branch, source: SharedSource, head: Commit, targets: Sequence[str]
    ) -> None:
        received = await self._inbox.pushes(*branch)
        # Before the first push nobody has asked for anything: what is there was put there by hand.
        if not received:
            return
        if leads_to(received, head):
            if not await self._came_too_soon(head, targets):
                return
        elif await self._is_left_behind(branch, received, source, head):
            return
        before = received[0].after
        # To where it is already: a move there was lost long ago, and whence is not known.
        known = before != head and await source.knows(before)
        push = Push(branch[1], before if known else None, head)
        times = sum(each.after == head for each in received)
        said = (*branch, head.sha, str(times))
        if await self._healing.deliver(MISSED, branch[0], push, targets, *said):
            log.warning(
                "push of %s to %s of %s was not delivered: it is now", head, branch[1], branch[0]
            )

    async def _came_too_soon(self, head: Commit, targets: Sequence[str]) -> bool:
        every = [await self._inbox.received_at(each) for each in targets]
        return any(came_too_soon(each, head) for each in every)

    async def _is_left_behind(
        self, branch: Branch, received: Sequence[Push], source: SharedSource, head: Commit
    ) -> bool:
        """Whether a push that has left the head is not shown yet: the branch was not set back then.

        Not for ever: one that was forced away before git had shown it never is.
        """
        left_for = [each.after for each in received if each.before == head]
        if not await _is_one_unknown(left_for, source):
            self._behind.pop(branch, None)
            return False
        now = asyncio.get_running_loop().time()
        seen, since = self._behind.get(branch, (head, now))
        self._behind[branch] = head, since if seen == head else now
        return now - self._behind[branch][1] < BEHIND_FOR


async def _is_one_unknown(commits: Sequence[Commit], source: SharedSource) -> bool:
    for each in commits:
        if not await source.knows(each):
            return True
    return False

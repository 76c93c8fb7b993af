"""Finds pushes that GitHub did not deliver: it tries once, and not at all above 25 MB.

The branch's head in our own mirror is compared with what was received. What was missed is put into
the inbox as a delivery like others, so that it is decided and dispatched as they are.
"""

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
        elif await _is_left_behind(received, source, head):
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


async def _is_left_behind(received: Sequence[Push], source: SharedSource, head: Commit) -> bool:
    """Whether a push that has left the head is not shown yet: then the branch was not set back."""
    for each in received:
        if each.before == head and not await source.knows(each.after):
            return True
    return False

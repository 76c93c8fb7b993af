"""Gives deliveries their outcome at a target, and says so: in the log, and to the code host."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slipway.domain.commit import Commit
from slipway.domain.delivery import Ending, PushAt
from slipway.domain.write_back import delivery_status
from slipway.ports import Inbox
from slipway.webhook.telling import Telling
from slipway.webhook.watched import WatchedTarget

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endings:
    """One target's."""

    watched: WatchedTarget
    inbox: Inbox
    telling: Telling

    async def end(self, these: Sequence[PushAt], ending: Ending) -> None:
        """Settle some, and log it; a folder that is gone is an alert."""
        await self.inbox.settle(these, ending)
        alert = ending.reason.startswith("folder-absent")
        for each in these:
            log.log(
                logging.ERROR if alert else logging.INFO,
                "delivery %s for %s: %s: %s",
                each.delivery,
                each.target,
                ending.outcome,
                ending.reason,
            )

    async def tell(self, ends: Mapping[Commit, Ending | None]) -> None:
        """Say of each commit how it ended, where no run does: that knows better."""
        if self.watched.host is None:
            return
        started = {each.commit for each in await self.inbox.started(self.watched.target.name)}
        for commit, ending in ends.items():
            if ending is not None and commit not in started:
                self.say(commit, ending)

    def say(self, commit: Commit, ending: Ending, link: str = "") -> None:
        """Say of a commit what an ending makes of it, and where more is told."""
        status = delivery_status(self.watched.target.name, ending, link)
        if self.watched.host is not None and status is not None:
            self.telling.tell(self.watched.host, commit, status)

"""Finds deliveries that GitHub could not make, and has them sent again: it does not by itself.

What this finds is healed exactly, by GitHub's own signed request; `missed` finds the rest, which
GitHub never tried, by what the branch itself shows.
"""

import logging
from collections.abc import Mapping

from slipway.domain.delivery import WORKFLOW_RUN
from slipway.domain.undelivered import Attempt, undelivered
from slipway.errors import PermanentError, SlipwayError
from slipway.ports import HookDeliveries, Inbox
from slipway.webhook.keeping_on import look_at_each

log = logging.getLogger(__name__)

LOOK_EVERY = 300.0
"""Seconds between looks."""
EVENTS = frozenset({"push", WORKFLOW_RUN})
"""What may start a deploy; of anything else nothing is lost."""


class UndeliveredDeliveries:
    """Looks at the webhooks of repositories, by the repositories' names."""

    def __init__(self, hooks: Mapping[str, HookDeliveries], inbox: Inbox) -> None:
        self._hooks = hooks
        self._inbox = inbox

    async def run(self) -> None:
        """Look until cancelled."""
        await look_at_each(self._hooks, self.look, LOOK_EVERY)

    async def look(self, repository: str) -> None:
        """Look at one webhook; what can't be done now is tried the next time."""
        try:
            await self._heal(repository, self._hooks[repository])
        except SlipwayError as error:
            log.warning("%s is not asked for failed deliveries: %s", repository, error)

    async def _heal(self, repository: str, hook: HookDeliveries) -> None:
        missing = undelivered(await hook.attempts(), EVENTS)
        known = await self._inbox.known([each.delivery for each in missing])
        for each in missing:
            # Kept, but GitHub did not hear of it any more.
            if each.delivery not in known:
                await self._redeliver(repository, hook, each)

    async def _redeliver(self, repository: str, hook: HookDeliveries, failed: Attempt) -> None:
        """Have one sent again; what GitHub refuses of it holds up no other."""
        named = f"delivery {failed.delivery} ({failed.event} of {repository}, at {failed.at})"
        try:
            await hook.redeliver(failed)
        except PermanentError as error:
            log.warning("%s failed, and is not sent again: %s", named, error)
        else:
            log.warning("%s failed with %d: GitHub is asked to send it again", named, failed.status)

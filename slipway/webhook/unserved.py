"""Ends deliveries for targets that nobody serves any more: else they would wait for ever.

A target leaves `slipway.toml`, or its repository there loses its `github`, while a push waits for
it. Whether somebody else serves it can't be known: another webhook on the same ledger may have
another file. So each is told of after an hour, where nobody has said yet what it waits for, and
ended only after a week: that is longer than Prefect, GitHub or such a webhook is away.
"""

import logging
from collections.abc import Collection

from slipway.domain.delivery import Ending, Outcome, Waiting
from slipway.errors import SlipwayError
from slipway.ports import Inbox
from slipway.webhook.keeping_on import look_at_each

log = logging.getLogger(__name__)

HOUR = 3600.0
LOOK_EVERY = HOUR
"""Seconds between looks."""
SAID_AFTER = HOUR
"""Seconds after which it is said that nobody here serves it."""
ENDED_AFTER = 7 * 24 * HOUR
"""Seconds after which it is served nowhere."""


class Unserved:
    """Looks at what waits elsewhere than at the targets that this process serves."""

    def __init__(self, served: Collection[str], inbox: Inbox) -> None:
        self._served = frozenset(served)
        self._inbox = inbox

    async def look(self, _: None = None) -> None:
        """Look at all of them; what can't be done now is done the next time."""
        try:
            for each in await self._inbox.waiting_elsewhere(self._served):
                await self._deal_with(each)
        except SlipwayError as error:
            log.warning("what waits for targets that are gone is not looked at: %s", error)

    async def run(self) -> None:
        """Look until cancelled."""
        await look_at_each((None,), self.look, LOOK_EVERY)

    async def _deal_with(self, waiting: Waiting) -> None:
        push = waiting.push
        why = (
            f"target-gone: {push.target} has no pushes in the webhook's slipway.toml: bring it "
            "back there (a target, and the github name of its repository), or leave it"
        )
        if waiting.seconds > ENDED_AFTER:
            await self._inbox.end_doubt(push, Ending(Outcome.IGNORED, why))
            log.warning("delivery %s for %s: ignored: %s", push.delivery, push.target, why)
        elif waiting.seconds > SAID_AFTER and not waiting.why:
            await self._inbox.put_off([push], why)
            log.warning("delivery %s for %s waits: %s", push.delivery, push.target, why)

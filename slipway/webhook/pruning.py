"""Forgets deliveries that ended long ago, a few at a time: acknowledging goes first."""

import asyncio
import logging

from slipway.errors import SlipwayError
from slipway.ports import Inbox

log = logging.getLogger(__name__)

DAY = 24 * 3600.0
LOOK_EVERY = 3600.0
"""Seconds between looks."""
AT_ONCE = 200
"""Deliveries that one transaction forgets: a few milliseconds, in which nobody else can write."""
PAUSE = 1.0
"""Seconds between transactions."""


class Pruning:
    """Keeps the inbox to what was received within some days, and what has not ended."""

    def __init__(self, inbox: Inbox, keep_days: float) -> None:
        self._inbox = inbox
        self._keep = keep_days * DAY

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Forget what is old enough; what can't be done now is done the next time."""
        forgotten = 0
        try:
            while (some := await self._inbox.forget(self._keep, AT_ONCE)) > 0:
                forgotten += some
                await asyncio.sleep(PAUSE)
        except SlipwayError as error:
            log.warning("old deliveries are not forgotten yet: %s", error)
        if forgotten:
            log.info("%d deliveries of long ago are forgotten", forgotten)

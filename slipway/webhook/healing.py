"""Puts into the inbox what GitHub did not deliver: once, however many look for it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slipway.domain.delivery import Delivery, Push
from slipway.ports import Inbox

MISSED = "missed"
DIGITS = 12


@dataclass(frozen=True, slots=True)
class Healing:
    """The inbox, and who is told of what is new there."""

    inbox: Inbox
    wake: Callable[[Sequence[str]], None]

    async def deliver(
        self, event: str, repository: str, push: Push, targets: Sequence[str], *said: str
    ) -> bool:
        """Keep what was missed as a delivery like others; whether nobody else has.

        The same for all who say the same of it. People see the commit in its id; it may be missed
        at several branches, and again at the same.
        """
        digest = hashlib.sha256("\n".join((MISSED, *said)).encode()).hexdigest()
        id_ = f"{MISSED}-{push.after}-{digest[:DIGITS]}"
        delivery = Delivery(id_, digest, event, repository, "", push, tuple(targets))
        [receipt] = await self.inbox.receive([delivery])
        if receipt.is_new:
            self.wake(targets)
        return receipt.is_new

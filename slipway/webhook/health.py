"""Whether deliveries can be kept, for whoever watches the process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic

from slipway.ports import Inbox

FRESH = 1.0
"""Seconds that an answer is good for: anybody may ask, however often."""


@dataclass(slots=True)
class Health:
    """Asks the inbox, at most once a second."""

    inbox: Inbox
    clock: Callable[[], float] = monotonic
    _waiting: int = field(default=0, init=False)
    _until: float = field(default=float("-inf"), init=False)

    async def tell(self) -> Mapping[str, object]:
        """How many deliveries wait; raises what the inbox does."""
        if self.clock() >= self._until:
            self._waiting = await self.inbox.count_waiting()
            self._until = self.clock() + FRESH
        return {"waiting": self._waiting}

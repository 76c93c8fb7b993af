"""A webhook at GitHub in memory: what was sent to it, and what is sent again."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from slipway.domain.undelivered import Attempt
from slipway.errors import AccessDenied
from tests.fakes.faults import Faults


@dataclass
class FakeHook:
    """The `HookDeliveries` port on a list; `deliver` is what the webhook does and answers."""

    deliver: Callable[[str], Awaitable[int]]
    faults: Faults = field(default_factory=Faults)
    made: list[Attempt] = field(default_factory=list)
    """Newest first."""
    refused: set[str] = field(default_factory=set)
    """Deliveries that are not sent again."""

    async def attempts(self) -> Sequence[Attempt]:
        await self.faults.at("before", "hook.attempts")
        return list(self.made)

    async def redeliver(self, attempt: Attempt) -> None:
        await self.faults.at("before", "hook.redeliver")
        known = attempt.number in {each.number for each in self.made}
        if not known or attempt.delivery in self.refused:
            raise AccessDenied(f"no attempt {attempt.number} of this webhook")
        await self.send(attempt.delivery, attempt.event)

    async def send(self, delivery: str, event: str = "push") -> None:
        """Try to deliver."""
        status = await self.deliver(delivery)
        first = Attempt(len(self.made) + 1, delivery, event, "2026-11-26T16:00:00Z", status)
        self.made.insert(0, first)

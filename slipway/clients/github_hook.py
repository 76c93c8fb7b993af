"""What GitHub has sent to a webhook, and asking it to send something again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from slipway.clients.github_session import GitHubSession, items_in
from slipway.domain.undelivered import Attempt

PAGES = 5
"""Of a hundred attempts each; GitHub keeps them for three days."""


@dataclass(frozen=True, slots=True)
class GitHubHook:
    """The `HookDeliveries` port on one webhook of a repository."""

    session: GitHubSession
    hook: int

    async def attempts(self) -> Sequence[Attempt]:
        """See `slipway.ports.HookDeliveries`."""
        found: list[Attempt] = []
        query = "per_page=100"
        for _ in range(PAGES):
            answer = await self.session.send("GET", f"hooks/{self.hook}/deliveries?{query}")
            found += [read for each in items_in(answer) if (read := _read(each)) is not None]
            following = answer.links.get("next", {}).get("url")
            if following is None:
                break
            query = httpx.URL(following).query.decode()
        return found

    async def redeliver(self, attempt: Attempt) -> None:
        """See `slipway.ports.HookDeliveries`."""
        path = f"hooks/{self.hook}/deliveries/{attempt.number}/attempts"
        await self.session.send("POST", path)


def _read(listed: Mapping[str, Any]) -> Attempt | None:
    match listed:
        case {
            "id": int(number),
            "guid": str(delivery),
            "event": str(event),
            "delivered_at": str(at),
            "status_code": int(status),
        }:
            return Attempt(number, delivery, event, at, status)
        case _:
            return None

"""Deliveries to the webhook: sent once, written down, and sent again only when somebody asks."""

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

GIVES_UP_AFTER = 30.0
"""GitHub's own patience is ten seconds; a machine that runs a whole cluster may need more."""
HOOK = 1
"""The one webhook's id."""
KEPT = 250
"""Deliveries that are listed, newest first."""


@dataclass(frozen=True)
class Hook:
    """The webhook as GitHub has it: where to, signed with what, and what was sent."""

    address: str
    secret: str
    written: Path
    """A line of JSON each, oldest first."""

    def deliver(self, event: str, payload: Mapping[str, Any]) -> str:
        """Send a new delivery; what became of it in a line."""
        body = json.dumps(payload)
        return self._attempt(str(uuid.uuid4()), event, body, payload.get("action"), again=False)

    def redeliver(self, delivery: int) -> bool:
        """Send the same again under the same id; False where there is none."""
        found = next((each for each in self.read() if each["id"] == delivery), None)
        if found is None:
            return False
        self._attempt(found["guid"], found["event"], found["body"], found["action"], again=True)
        return True

    def listed(self) -> Sequence[Mapping[str, Any]]:
        """Newest first, as the API lists them: without what was sent."""
        kept = list(reversed(self.read()))[:KEPT]
        return [{key: each[key] for key in each if key != "body"} for each in kept]

    def read(self) -> list[dict[str, Any]]:
        """Everything that was sent, oldest first."""
        if not self.written.exists():
            return []
        return [json.loads(line) for line in self.written.read_text().splitlines()]

    def _attempt(self, guid: str, event: str, body: str, action: str | None, *, again: bool) -> str:
        began = time.monotonic()
        code, told = self._post(guid, event, body.encode())
        entry = {
            "id": time.time_ns() // 1000,
            "guid": guid,
            "delivered_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "redelivery": again,
            "duration": round(time.monotonic() - began, 3),
            "status": told if code == 0 else httpx.codes.get_reason_phrase(code),
            "status_code": code,
            "event": event,
            "action": action,
            "installation_id": None,
            "repository_id": None,
            "body": body,
        }
        with self.written.open("a") as file:
            file.write(f"{json.dumps(entry)}\n")
        return told

    def _post(self, guid: str, event: str, body: bytes) -> tuple[int, str]:
        signature = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/sandbox",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": guid,
            "X-GitHub-Hook-ID": str(HOOK),
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        try:
            answer = httpx.post(self.address, content=body, headers=headers, timeout=GIVES_UP_AFTER)
        except httpx.TransportError as error:
            return 0, f"the webhook did not answer ({type(error).__name__})"
        return answer.status_code, f"the webhook answered {answer.status_code} {answer.text}"

"""Deliveries of eight kilobytes, signed as GitHub signs them."""

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SECRET = "the-secret-of-the-benchmarks"  # noqa: S105 - made up, and shown to nobody
COMMITS = 13
"""Of one push: with them it is about as large as GitHub's own example of one."""


@dataclass(frozen=True)
class Delivery:
    """One push as GitHub tells it."""

    id: str
    body: bytes

    def headers(self, secret: str) -> dict[str, str]:
        """What GitHub sends beside the body."""
        signature = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        return {
            "User-Agent": "GitHub-Hookshot/bench",
            "Accept": "*/*",
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": self.id,
            "X-GitHub-Hook-ID": "1",
            "X-Hub-Signature-256": f"sha256={signature}",
        }

    def request(self, path: str) -> bytes:
        """The whole HTTP request, with the benchmarks' own secret."""
        lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers(SECRET).items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def deliveries(number: int) -> Sequence[Delivery]:
    """So many pushes, each another one."""
    return [delivery_of(_push()) for _ in range(number)]


def delivery_of(payload: Mapping[str, object]) -> Delivery:
    """A new delivery of this payload."""
    return Delivery(str(uuid.uuid4()), json.dumps(payload).encode())


def _push() -> dict[str, object]:
    commit = uuid.uuid4().hex + uuid.uuid4().hex[:8]
    made = {
        "id": commit,
        "message": "Serve the newest of them, and say in the log which one that was. " * 4,
        "timestamp": "2026-11-26T16:00:00Z",
        "author": {"name": "Ada", "email": "ada@example.invalid", "username": "ada"},
        "added": ["adapter/src/new.py"],
        "removed": [],
        "modified": ["adapter/src/start.sh", "adapter/README.md"],
    }
    return {
        "ref": "refs/heads/main",
        "before": "1" * 40,
        "after": commit,
        "commits": [made] * COMMITS,
        "head_commit": made,
        "repository": {"full_name": "example/shop", "private": True, "fork": False},
        "sender": {"login": "ada"},
    }

"""Signed requests to the receiver, with or without a server around it."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from slipway.webhook.app import build_receiver
from slipway.webhook.receiver import Receiver
from slipway.webhook.routing import Subscription, Subscriptions
from slipway.webhook.settings import WebhookSettings
from tests.fakes.inbox import MemoryInbox

SECRET, OLD_SECRET = "the secret of these tests", "the secret before it"
BEFORE, AFTER = "1" * 40, "2" * 40
WORKFLOW = ".github/workflows/images.yml"
SUBSCRIPTIONS = Subscriptions(
    [
        Subscription("adapter-prod", "Acme/shop", "main"),
        Subscription("sink-prod", "acme/shop", "main"),
        Subscription("adapter-next", "acme/shop", "next"),
        Subscription("web-built", "acme/shop", "built", WORKFLOW),
    ]
)

Headers = Sequence[tuple[bytes, bytes]]


def settings(**changed: Any) -> WebhookSettings:
    secrets = (SecretStr(SECRET), SecretStr(OLD_SECRET))
    return WebhookSettings(**{"secrets": secrets, "port": 0, **changed})


def receiver(inbox: MemoryInbox | None = None, **changed: Any) -> Receiver:
    return build_receiver(
        settings(**changed), SUBSCRIPTIONS, inbox or MemoryInbox(), lambda _: None
    )


def push(**changed: Any) -> dict[str, Any]:
    return {
        "ref": "refs/heads/main",
        "before": BEFORE,
        "after": AFTER,
        "repository": {"full_name": "acme/shop", "fork": False},
        "sender": {"login": "ada"},
        **changed,
    }


def workflow_run(action: str = "completed", **changed: Any) -> dict[str, Any]:
    return {
        "action": action,
        "repository": {"full_name": "acme/shop", "fork": False},
        "sender": {"login": "ada"},
        "workflow_run": {
            "event": "push",
            "conclusion": "success",
            "head_branch": "built",
            "head_sha": AFTER,
            "head_repository": {"full_name": "Acme/shop"},
            "path": WORKFLOW,
            **changed,
        },
    }


def signature(body: bytes, secret: str = SECRET) -> bytes:
    return b"sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()


def headers(
    body: bytes, *, event: str = "push", delivery: str = "delivery-1", secret: str = SECRET
) -> dict[bytes, bytes]:
    return {
        b"content-type": b"application/json",
        b"x-github-event": event.encode(),
        b"x-github-delivery": delivery.encode(),
        b"x-hub-signature-256": signature(body, secret),
    }


async def ask(
    app: Receiver,
    method: str,
    path: str,
    headers: Iterable[tuple[bytes, bytes]] = (),
    pieces: Sequence[bytes] = (b"",),
    source: str = "192.0.2.1",
) -> tuple[int, dict[str, Any], dict[bytes, bytes]]:
    """One request straight to the application: status, body, headers."""
    events = [
        {"type": "http.request", "body": piece, "more_body": place < len(pieces) - 1}
        for place, piece in enumerate(pieces)
    ]
    sent: list[Mapping[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        return events.pop(0) if events else {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": list(headers),
        "client": (source, 1),
    }
    await app(scope, receive, send)
    start, body = sent
    return start["status"], json.loads(body["body"]), dict(start["headers"])


async def deliver(
    app: Receiver,
    payload: object = None,
    *,
    event: str = "push",
    delivery: str = "delivery-1",
    source: str = "192.0.2.1",
) -> tuple[int, dict[str, Any]]:
    """A delivery as GitHub sends it."""
    body = json.dumps(push() if payload is None else payload).encode()
    sent = headers(body, event=event, delivery=delivery)
    status, answer, _ = await ask(app, "POST", "/github", sent.items(), [body], source)
    return status, answer

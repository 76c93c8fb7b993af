"""The receiver: an ASGI application that acknowledges a delivery once it is on disk.

Plain ASGI: a router, a request object and their middleware would double the CPU of a request, and
there are two paths.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import msgspec
from pydantic import SecretStr

from slipway.domain.delivery import Receipt
from slipway.errors import SlipwayError
from slipway.webhook import payload, signature
from slipway.webhook.bodies import Bodies, Receive
from slipway.webhook.group_commit import GroupCommit, Overloaded
from slipway.webhook.refusals import TOO_MANY, RefusalLimit, Refused
from slipway.webhook.routing import Arrived, Subscriptions, route

log = logging.getLogger(__name__)

Headers = Sequence[tuple[bytes, bytes]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
OK, ACCEPTED = 200, 202
BAD_REQUEST, UNSIGNED, NOT_FOUND, METHOD, MEDIA_TYPE, BUSY = 400, 401, 404, 405, 415, 503
_EVENT = re.compile(rb"[a-z0-9_]{1,64}")
_ID = re.compile(rb"[A-Za-z0-9-]{8,64}")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CLOSE = (b"connection", b"close")
"""Ends a connection on which a body may still come that nobody waits for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back, as JSON."""

    status: int
    body: Mapping[str, object]
    headers: Headers = ()


Handle = Callable[[Headers, Receive, str], Awaitable[Answer]]


@dataclass(slots=True)
class Receiver:
    """`POST /github` and `GET /health`."""

    secrets: Sequence[SecretStr]
    subscriptions: Subscriptions
    inbox: GroupCommit
    health: Callable[[], Awaitable[Mapping[str, object]]]
    bodies: Bodies
    wake: Callable[[Sequence[str]], None]
    """Told the targets for which something new was kept."""
    refusals: RefusalLimit = field(default_factory=RefusalLimit)
    clock: Callable[[], float] = monotonic

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """One request, by the ASGI specification."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        source = scope["client"][0] if scope.get("client") else ""
        try:
            answer = await self._answer(scope, receive, source)
        except Refused as refused:
            answer = self._refusal(refused, source)
        await _send(send, answer)

    async def _answer(self, scope: Mapping[str, Any], receive: Receive, source: str) -> Answer:
        handle, method = self._route(scope["path"])
        if scope["method"] != method:
            raise Refused(METHOD, f"only {method} is understood here", (b"allow", method.encode()))
        return await handle(scope["headers"], receive, source)

    def _route(self, path: str) -> tuple[Handle, str]:
        if path == "/github":
            return self._take, "POST"
        if path == "/health":
            return self._tell_health, "GET"
        raise Refused(NOT_FOUND, "there is nothing here: deliveries go to /github")

    async def _take(self, headers: Headers, receive: Receive, source: str) -> Answer:
        sent = _read_once(headers)
        claimed = signature.claimed(sent.get(signature.HEADER))
        if claimed is None:
            # Its body is of no use: a flood of these costs no more than its heads.
            raise Refused(UNSIGNED, "no X-Hub-Signature-256, or not exactly one of its form")
        is_suspect = self.refusals.wait(source, self.clock()) > 0
        body = await self.bodies.read(
            receive, _length(sent.get(b"content-length")), is_suspect=is_suspect
        )
        if not signature.is_valid(claimed, body, self.secrets):
            raise Refused(UNSIGNED, "the signature is that of another body or secret")
        return await self._keep(_arrived(sent, body, claimed))

    async def _keep(self, arrived: Arrived) -> Answer:
        delivery = route(arrived, self.subscriptions)
        try:
            receipt = await self.inbox.keep(delivery)
        except (SlipwayError, Overloaded) as error:
            log.error("delivery %s is not acknowledged: %s", delivery.id, error)  # noqa: TRY400 - an outage, not a defect
            raise Refused(BUSY, "can't be kept now", (b"retry-after", b"5")) from error
        if receipt.is_new:
            self.wake(delivery.targets)
        log.info(
            "delivery %s %s of %s: %s%s",
            delivery.id,
            delivery.event,
            delivery.repository or "no repository",
            receipt.ignored or f"for {', '.join(delivery.targets)}",
            "" if receipt.is_new else f" (received before as {receipt.delivery})",
        )
        return _acknowledgement(receipt)

    async def _tell_health(self, headers: Headers, receive: Receive, source: str) -> Answer:
        del headers, receive, source
        try:
            return Answer(OK, {"status": "ok", **await self.health()}, (_CLOSE,))
        except SlipwayError as error:
            log.warning("not healthy: %s", error)
            raise Refused(BUSY, "the inbox can't be used", (b"retry-after", b"5")) from error

    def _refusal(self, refused: Refused, source: str) -> Answer:
        if refused.status < BUSY:
            refused = self.refusals.told(refused, source, self.clock())
        level = logging.DEBUG if refused.status == TOO_MANY else logging.INFO
        log.log(level, "refused %s: %d %s", source or "somebody", refused.status, refused.why)
        return Answer(refused.status, {"error": refused.why}, (*refused.headers, _CLOSE))


def _read_once(headers: Headers) -> Mapping[bytes, bytes | None]:
    """The headers by name; one that came more than once says nothing, which is None."""
    found: dict[bytes, bytes | None] = {}
    for name, value in headers:
        found[name] = None if name in found else value
    return found


def _length(declared: bytes | None) -> int | None:
    return int(declared) if declared is not None and _LENGTH.fullmatch(declared) else None


def _arrived(sent: Mapping[bytes, bytes | None], body: bytes, claimed: bytes) -> Arrived:
    """The verified request, read; nothing of it was looked at before."""
    kind = sent.get(b"content-type") or b""
    if kind.partition(b";")[0].strip().lower() != b"application/json":
        raise Refused(MEDIA_TYPE, "set the webhook's content type to application/json")
    event, delivery = sent.get(b"x-github-event"), sent.get(b"x-github-delivery")
    if event is None or not _EVENT.fullmatch(event):
        raise Refused(BAD_REQUEST, "X-GitHub-Event is not exactly one event")
    if delivery is None or not _ID.fullmatch(delivery):
        raise Refused(BAD_REQUEST, "X-GitHub-Delivery is not exactly one id")
    try:
        read = payload.read(event.decode(), body)
    except payload.Unreadable as error:
        raise Refused(BAD_REQUEST, f"not a {event.decode()} payload: {error}") from error
    return Arrived(delivery.decode(), claimed.decode(), event.decode(), read)


def _acknowledgement(receipt: Receipt) -> Answer:
    body: dict[str, object] = {"delivery": receipt.delivery, "duplicate": not receipt.is_new}
    if receipt.ignored:
        return Answer(OK, {**body, "outcome": "ignored", "reason": receipt.ignored})
    return Answer(ACCEPTED, {**body, "outcome": "accepted"})


async def _send(send: Send, answer: Answer) -> None:
    body = msgspec.json.encode(answer.body)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

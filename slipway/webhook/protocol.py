"""uvicorn's HTTP protocol with a deadline and a cap for requests, which uvicorn has for neither.

Tried with 200 connections that send half a head or half a body: they were open after 35 seconds.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

Headers = Sequence[tuple[bytes, bytes]]
HEAD_CAP = 32 * 1024
FRAMED = 8
"""A chunk of one byte is framed by five, so that a body may be several times what it holds."""
NO_HTTP, TOO_SLOW, TOO_LARGE, TOO_MANY = 400, 408, 431, 503


class ImpatientProtocol(HttpToolsProtocol):
    """Closes a connection whose request does not arrive whole in time, or grows too large."""

    within = 8.0
    """Seconds from a request's first byte, or from when the connection was made, to its last."""
    cap = 8 * 1024 * 1024
    """Bytes of a whole request, with what frames the pieces of its body."""
    _deadline: asyncio.TimerHandle | None = None
    _in_head = True
    _arrived = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Expect a first request."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        self._stop_expecting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Expect the rest of a request that has begun."""
        self._in_head = True
        self._expect()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; a trailer, which comes after the body, is of no use here."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Expect a body."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect nothing until the next request begins; uvicorn ends a connection that idles."""
        self._arrived = 0
        self._stop_expecting()
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Count what arrives."""
        self._arrived += len(data)
        super().data_received(data)
        if self._arrived > (HEAD_CAP if self._in_head else self.cap):
            self._refuse(TOO_LARGE, "the request is larger than any of GitHub's")

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(NO_HTTP, msg)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        ours = too_many if app is service_unavailable else app
        super()._start_asgi_task(cycle, AtOnce(cycle, ours))

    def _expect(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.within, self._refuse_late)

    def _stop_expecting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse_late(self) -> None:
        self._refuse(TOO_SLOW, f"the request did not arrive within {self.within:g} s")

    def _refuse(self, status: int, why: str) -> None:
        """Answer for the application, which has not answered: it waits for the rest."""
        self._stop_expecting()
        if not self.transport.is_closing():
            body = _error(why)
            headers = [*self.server_state.default_headers, *_described(body)]
            self.transport.write(_message(status, headers, body))
            self.transport.close()


@dataclass(slots=True)
class AtOnce:
    """An application whose answers are written as one piece, head and body.

    uvicorn writes two, and uvloop makes a system call of each; it also checks headers, which are
    the receiver's own here (docs/decisions/webhook-receiver.md has what that costs).
    """

    cycle: RequestResponseCycle
    app: "ASGI3Application"
    _start: Mapping[str, Any] | None = None

    async def __call__(
        self, scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable"
    ) -> None:
        """Run the application; its answer has a content length, and one piece of body."""
        del send
        await self.app(scope, receive, self.send)

    async def send(self, message: Mapping[str, Any]) -> None:
        """Keep the head until the body comes, which ends the exchange."""
        cycle = self.cycle
        if self._start is None:
            self._start = message
            return
        cycle.response_started = cycle.response_complete = True
        if cycle.disconnected:
            return
        closes = (b"connection", b"close") in self._start["headers"]
        cycle.keep_alive = cycle.keep_alive and not closes
        cycle.transport.write(self._whole(self._start, message["body"], closes=closes))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()

    def _whole(self, start: Mapping[str, Any], body: bytes, *, closes: bool) -> bytes:
        headers = [*self.cycle.default_headers, *start["headers"]]
        if not self.cycle.keep_alive and not closes:
            headers.append((b"connection", b"close"))
        shown = b"" if self.cycle.scope["method"] == "HEAD" else body
        return _message(start["status"], headers, shown)


async def too_many(
    scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable"
) -> None:
    """The application beyond the most connections: uvicorn's own says less, and in plain text."""
    del scope, receive
    body = _error("too many connections")
    headers = [*_described(body), (b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": TOO_MANY, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _error(why: str) -> bytes:
    """As the receiver's own errors are."""
    return msgspec.json.encode({"error": why})


def _described(body: bytes) -> Headers:
    return (
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    )


def _message(status: int, headers: Headers, body: bytes) -> bytes:
    lines = [b"%b: %b\r\n" % each for each in headers]
    return b"".join([STATUS_LINE[status], *lines, b"\r\n", body])


def protocol(within: float, body_cap: int) -> type[ImpatientProtocol]:
    """The protocol with these limits, as a class: uvicorn makes the objects itself."""
    limits = {"within": within, "cap": HEAD_CAP + FRAMED * body_cap}
    return type("LimitedProtocol", (ImpatientProtocol,), limits)

"""Reads request bodies: capped while they arrive, and not too many at once.

Their time is the server's to limit (`protocol`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.webhook.refusals import Refused

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

GONE, TOO_LARGE, BUSY = 400, 413, 503
BODIES_AT_ONCE = 64
"""Bodies as large as the cap that may be held in memory at the same time…"""
OF_SUSPECTS = 16
"""…and beyond which none is read for a source that is refused too often: the rest is others'."""


@dataclass(slots=True)
class Bodies:
    """What may be read of a body, and of all together."""

    cap: int
    _held: int = field(default=0, init=False)

    async def read(
        self, receive: Receive, declared: int | None, *, is_suspect: bool = False
    ) -> bytes:
        """The whole body. `Refused` when it is too large, or too much with all others."""
        room = (OF_SUSPECTS if is_suspect else BODIES_AT_ONCE) * self.cap
        if declared is not None and declared > self.cap:
            raise self._too_large()
        pieces: list[bytes] = []
        length, more = 0, True
        try:
            while more:
                piece, more = await _next(receive)
                pieces.append(piece)
                length += len(piece)
                self._held += len(piece)
                self._check(length, room)
        finally:
            self._held -= length
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _check(self, length: int, room: int) -> None:
        if length > self.cap:
            raise self._too_large()
        if self._held > room:
            raise Refused(BUSY, "too much is arriving at once", (b"retry-after", b"1"))

    def _too_large(self) -> Refused:
        return Refused(TOO_LARGE, f"the body has more than {self.cap} bytes")


async def _next(receive: Receive) -> tuple[bytes, bool]:
    """The next piece, and whether more are to come."""
    message = await receive()
    if message["type"] != "http.request":
        raise Refused(GONE, "the sender went away, or took too long")
    return message.get("body", b""), bool(message.get("more_body"))

"""Faults on demand: for requests that match, answer wrongly, late or not at all.

A fault strikes `before` the request has its effect (instead of it) or `after` it: then the caller
does not learn what happened.
"""

import asyncio
import itertools
import re
import socket
import struct
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.pulumi_cloud.errors import bad_request

Action = Literal["status", "reset", "hang"]
When = Literal["before", "after"]
OURS = ("/admin/", "/healthz")


@dataclass
class Fault:
    """What happens to the next `times` requests (-1: all) of this method whose URL matches."""

    action: Action
    path: str = ".*"
    method: str = ""
    when: When = "before"
    times: int = 1
    skip: int = 0
    status: int = 500
    message: str = "injected fault"
    diagnostics: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0
    id: int = 0
    struck: int = 0

    def strikes(self, method: str, target: str) -> bool:
        """Whether this request is the one; counts."""
        if self.times == 0 or (self.method and self.method != method):
            return False
        if not re.search(self.path, target):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= self.times > 0
        self.struck += 1
        return True

    def response(self) -> Response:
        """The wrong answer."""
        body: dict[str, Any] = {"code": self.status, "message": self.message}
        if self.diagnostics:
            body["diagnostics"] = self.diagnostics
        return JSONResponse(body, status_code=self.status, headers=self.headers)


class Faults:
    """The faults that are planted now, in the order they were planted."""

    def __init__(self) -> None:
        self._planted: list[Fault] = []
        self._numbers = itertools.count(1)

    def plant(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """One more fault."""
        try:
            fault = Fault(**wanted)
            re.compile(fault.path)
        except (TypeError, re.error) as error:
            raise bad_request(f"this is no fault: {error}") from error
        if fault.action not in get_args(Action) or fault.when not in get_args(When):
            raise bad_request(f"no action {fault.action!r} {fault.when!r}; see faults.py")
        fault.id = next(self._numbers)
        self._planted.append(fault)
        return asdict(fault)

    def planted(self) -> list[dict[str, Any]]:
        """All of them, with how often each has struck and will strike."""
        return [asdict(fault) for fault in self._planted]

    def clear(self) -> None:
        """Be well again."""
        self._planted.clear()

    def striking(self, method: str, target: str) -> Fault | None:
        """The fault that hits a request, if any."""
        return next((each for each in self._planted if each.strikes(method, target)), None)


class FaultyConnections(H11Protocol):
    """uvicorn's HTTP protocol, with a handle to tear a client's connection."""

    open: ClassVar[dict[Any, asyncio.Transport]] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Remember who is connected."""
        super().connection_made(transport)
        self.open[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget who was connected."""
        self.open.pop(self.client, None)
        super().connection_lost(exc)


def tear(client: tuple[str, int]) -> None:
    """Reset a client's connection, as a dying server or balancer does."""
    transport = FaultyConnections.open[client]
    reset = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    transport.abort()


class FaultMiddleware:
    """Lets faults strike; the admin routes and the health check stay well."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or spoil it."""
        fault = self._fault_for(scope)
        if fault is None:
            await self._app(scope, receive, send)
            return
        answer: list[Message] = []
        if fault.when == "after":
            await self._app(scope, receive, _kept_in(answer))
        if fault.action == "reset":
            tear(scope["client"])
        elif fault.action == "status":
            await fault.response()(scope, receive, send)
        else:
            await asyncio.sleep(fault.seconds)
            await self._late(answer, scope, receive, send)

    async def _late(
        self, answer: list[Message], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Give the answer that was kept, or serve only now, if the caller still waits."""
        for message in answer:
            await send(message)
        if not answer and scope["client"] in FaultyConnections.open:
            await self._app(scope, receive, send)

    def _fault_for(self, scope: Scope) -> Fault | None:
        """The fault that hits this request."""
        if scope["type"] != "http" or scope["path"].startswith(OURS):
            return None
        request = Request(scope)
        return self._faults.striking(request.method, str(request.url))


def _kept_in(answer: list[Message]) -> Send:
    """A `send` that delivers nothing yet."""

    async def keep(message: Message) -> None:
        answer.append(message)

    return keep

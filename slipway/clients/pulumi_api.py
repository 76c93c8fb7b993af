"""Requests to Pulumi Cloud's REST API, which keeps stacks and ESC environments."""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr

from slipway.clients.loopback import is_loopback
from slipway.clients.trust import trusted
from slipway.errors import AccessDenied, InvalidInput, Unreachable

log = logging.getLogger(__name__)

PAUSES = (0.5, 1.0, 2.0)
"""Seconds between attempts of a request that changes nothing, or that was turned away."""
LONGEST_PAUSE = 10.0
"""Seconds of a Retry-After that are waited out here; a longer one is the caller's to wait."""
TIMEOUT = httpx.Timeout(30.0, connect=10.0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered, whatever its status short of denial and overload."""

    status: int
    headers: httpx.Headers
    text: str

    @property
    def good(self) -> bool:
        """Whether the request was done."""
        return httpx.codes.is_success(self.status)

    def json(self) -> dict[str, Any]:
        """The body as an object; empty when it is none."""
        try:
            body = json.loads(self.text or "{}")
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    def items(self) -> list[dict[str, Any]]:
        """The body as a list of objects; empty when it is none."""
        try:
            body = json.loads(self.text or "[]")
        except ValueError:
            return []
        return [each for each in body if isinstance(each, dict)] if isinstance(body, list) else []

    @property
    def is_list(self) -> bool:
        """Whether the body is a list; null is how Go writes one that is empty."""
        try:
            return isinstance(json.loads(self.text), list | None)
        except ValueError:
            return False

    @property
    def problem(self) -> str:
        """The API's own words for an error, short enough for a message."""
        message = self.json().get("message") or self.text
        return " ".join(f"HTTP {self.status} {message}".split())[:400]


@dataclass(slots=True)
class PulumiApi:
    """An account at Pulumi Cloud; its token goes to this backend and nowhere else."""

    backend: str
    token: SecretStr
    transport: httpx.AsyncBaseTransport | None = field(default=None, repr=False)
    _client: httpx.AsyncClient | None = field(default=None, repr=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        address = httpx.URL(self.backend)
        if address.scheme != "https" and not (
            address.scheme == "http" and is_loopback(address.host)
        ):
            raise InvalidInput(
                f"Pulumi's backend {self.backend!r} is not an https address, and the token is sent "
                "nowhere else (self-managed backends know no ESC): correct `backend`"
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; a later request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        content: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A request that changes nothing; tried again when the API does not answer."""
        for pause in PAUSES:
            try:
                return await self.send(method, path, content=content, headers=headers)
            except Unreachable as error:
                log.debug("%s: trying again in %g s", error, pause)
                await asyncio.sleep(pause)
        return await self.send(method, path, content=content, headers=headers)

    async def send(
        self,
        method: str,
        path: str,
        *,
        content: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. `Unreachable` leaves open whether it had its effect; `AccessDenied` not.

        One that is turned away for its rate had none, and is sent again when the API says so.
        """
        answer = await self._send_once(method, path, content, headers or {})
        for _ in PAUSES:
            pause = _pause_asked_for(answer)
            if pause is None or pause > LONGEST_PAUSE:
                break
            log.info("Pulumi Cloud asks for %g s of patience", pause)
            await asyncio.sleep(pause)
            answer = await self._send_once(method, path, content, headers or {})
        return self._judge(method, path, answer)

    async def _send_once(
        self, method: str, path: str, content: str, headers: Mapping[str, str]
    ) -> Answer:
        try:
            response = await self._connections().request(
                method, path, content=content.encode(), headers=dict(headers)
            )
        except httpx.HTTPError as error:
            raise Unreachable(
                f"Pulumi Cloud at {self.backend} did not answer {method} {path} "
                f"({type(error).__name__}: {error}): check the address and the network"
            ) from error
        return Answer(response.status_code, response.headers, response.text)

    def _judge(self, method: str, path: str, answer: Answer) -> Answer:
        what = f"{method} {path} at {self.backend}: {answer.problem}"
        if answer.status == httpx.codes.UNAUTHORIZED:
            raise AccessDenied(f"Pulumi's token is not accepted for {what}; make a new token")
        if answer.status == httpx.codes.FORBIDDEN:
            raise AccessDenied(f"Pulumi's token may not {what}; give its account access")
        if answer.status == httpx.codes.TOO_MANY_REQUESTS or httpx.codes.is_server_error(
            answer.status
        ):
            raise Unreachable(f"Pulumi Cloud can't now {what}; try again later")
        return answer

    def _sign(self, request: httpx.Request) -> httpx.Request:
        """Add the token; being the client's own `auth`, a .netrc does not replace it."""
        request.headers["Authorization"] = f"token {self.token.get_secret_value()}"
        return request

    def _connections(self) -> httpx.AsyncClient:
        """The client of the running event loop: connections can't move to another one."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._loop = loop
            self._client = httpx.AsyncClient(
                base_url=self.backend,
                headers={"Accept": "application/vnd.pulumi+8"},
                auth=self._sign,
                verify=trusted(),
                transport=self.transport,
                timeout=TIMEOUT,
            )
        return self._client


def _pause_asked_for(answer: Answer) -> float | None:
    if answer.status != httpx.codes.TOO_MANY_REQUESTS:
        return None
    asked = answer.headers.get("retry-after", "").strip()
    return float(asked) if asked.isdecimal() else 1.0

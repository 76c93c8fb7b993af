"""Authenticated requests to OCI registries: bearer tokens, rate limits, and errors of our own.

The token flow is the Distribution project's "Token Authentication Specification".
"""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpx
from pydantic import SecretStr

from slipway.clients.loopback import is_loopback
from slipway.clients.registry_http import ACCEPT, Answer, pause_asked_for, read_body
from slipway.clients.trust import trusted
from slipway.errors import AccessDenied, InvalidInput, Unreachable
from slipway.ports import PullCredentials

log = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
LONGEST_PAUSE = 10.0
"""Seconds of a Retry-After that are waited out here; a longer one is the caller's to wait."""
PAUSES = 3
HEADERS = {"Accept": ACCEPT, "User-Agent": "slipway"}
MANY = 200
"""Requests from which on it pays to import what is quicker at each."""
DEFAULT_TOKEN_LIFE = 60.0
"""What the specification says when the issuer names no lifetime."""

_CHALLENGE_FIELD = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class _Token:
    value: SecretStr
    until: float


@dataclass(slots=True)
class RegistrySession:
    """Requests to registries; credentials go to the one host they are for, and to its issuer.

    Plain http is spoken to loopback and to `plain_http_hosts` only.
    """

    credentials: PullCredentials | None = None
    plain_http_hosts: frozenset[str] = frozenset()
    transport: httpx.AsyncBaseTransport | None = None
    _tokens: dict[tuple[str, str, str], _Token] = field(default_factory=dict, repr=False)
    _locks: dict[tuple[str, str, str], asyncio.Lock] = field(default_factory=dict, repr=False)
    _client: httpx.AsyncClient | None = field(default=None, repr=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, repr=False)
    _former: list[httpx.AsyncClient] = field(default_factory=list, repr=False)
    """Clients that others may still be waiting for."""
    _many: bool = field(default=False, repr=False)

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
        former, self._former = self._former, []
        for each in (*former, *([client] if client is not None else [])):
            await each.aclose()

    def expect(self, requests: int) -> None:
        """Be told how many requests come next: many are worth connections of another make."""
        if requests < MANY or self._many:
            return
        self._many = True
        if self._client is not None:
            self._former.append(self._client)
            self._client = None

    async def request(
        self,
        method: str,
        host: str,
        path: str,
        *,
        scope: tuple[str, str],
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """One request with a token for `scope` (repository, actions).

        401 and 403 become `AccessDenied`, overload and no answer `Unreachable`; every other status
        is the caller's to read. Redirects of a GET are followed, without credentials to elsewhere.
        """
        request = _Request(method, self.address(host, path), dict(headers or {}), content)
        key = (host, *scope)
        token = self._valid_token(key)
        answer = await self._send(request, self._authorization(token))
        if answer.status == httpx.codes.UNAUTHORIZED:
            answer = await self._send(request, await self._answer_challenge(key, answer, token))
        if answer.status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise AccessDenied(
                f"registry {host} denies {self._who(host)} {scope[1]} on {scope[0]} (HTTP "
                f"{answer.status} {answer.problem}): give the account access to the package, or "
                "use another account"
            )
        return answer

    def address(self, host: str, path: str) -> str:
        """The address of a path at a registry's host, http only where that is allowed."""
        return f"{'http' if self._may_be_plain(host) else 'https'}://{host}{path}"

    def _may_be_plain(self, host: str) -> bool:
        return is_loopback(host) or host in self.plain_http_hosts

    def _who(self, host: str) -> str:
        ours = self._credentials_for(host)
        return f"account {ours.username}" if ours else "an anonymous request"

    def _credentials_for(self, host: str) -> PullCredentials | None:
        ours = self.credentials
        return ours if ours is not None and ours.host == host else None

    def _valid_token(self, key: tuple[str, str, str]) -> _Token | None:
        token = self._tokens.get(key)
        return token if token is not None and token.until > time.monotonic() else None

    @staticmethod
    def _authorization(token: _Token | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {token.value.get_secret_value()}"} if token else {}

    async def _answer_challenge(
        self, key: tuple[str, str, str], answer: Answer, used: _Token | None
    ) -> dict[str, str]:
        """The authorization that a 401 asks for; one request for a token, however many wait."""
        host = key[0]
        scheme, _, rest = answer.headers.get("www-authenticate", "").partition(" ")
        if scheme.lower() == "basic" and (ours := self._credentials_for(host)) is not None:
            auth = httpx.BasicAuth(ours.username, ours.password.get_secret_value())
            return {"Authorization": _basic_header(auth)}
        challenge = dict(_CHALLENGE_FIELD.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in challenge:
            raise AccessDenied(
                f"registry {host} refuses {self._who(host)} and offers no token (its challenge: "
                f"{scheme or 'none'}): configure an account for this host"
            )
        async with self._locks.setdefault(key, asyncio.Lock()):
            token = self._valid_token(key)
            if token is None or token is used:
                token = await self._fetch_token(key, challenge)
                self._tokens[key] = token
        return self._authorization(token)

    async def _fetch_token(self, key: tuple[str, str, str], challenge: Mapping[str, str]) -> _Token:
        host, repository, actions = key
        wanted = {"scope": f"repository:{repository}:{actions}"}
        if "service" in challenge:
            wanted["service"] = challenge["service"]
        address = str(httpx.URL(challenge["realm"]).copy_merge_params(wanted))
        ours = self._credentials_for(host)
        headers = {}
        if ours is not None:
            auth = httpx.BasicAuth(ours.username, ours.password.get_secret_value())
            headers["Authorization"] = _basic_header(auth)
        asked_at = time.monotonic()
        answer = await self._send(_Request("GET", address, headers, None), {})
        if answer.status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise AccessDenied(
                f"the token issuer of registry {host} rejects {self._who(host)} (HTTP "
                f"{answer.status}): the token or password is wrong, expired or revoked; renew it"
            )
        return _read_token(host, answer, asked_at)

    async def _send(self, request: "_Request", authorization: Mapping[str, str]) -> Answer:
        """Send until the answer is something else than "not now", for a little while."""
        answer = await self._send_once(request, authorization)
        for _ in range(PAUSES):
            pause = pause_asked_for(answer) if answer.is_not_now else None
            if pause is None or pause > LONGEST_PAUSE:
                break
            log.debug("registry %s asks for a pause of %.3f s", request.host, pause)
            await asyncio.sleep(pause)
            answer = await self._send_once(request, authorization)
        if not answer.is_not_now:
            return answer
        raise Unreachable(
            f"registry {request.host} answered {request.method} with HTTP {answer.status} "
            f"{answer.problem}: it is overloaded or broken; try again later"
        )

    async def _send_once(self, request: "_Request", authorization: Mapping[str, str]) -> Answer:
        sent = httpx.Request(  # nothing of the client's own to merge into each
            request.method,
            request.address,
            headers={**HEADERS, **request.headers, **authorization},
            content=request.content,
        )
        try:
            response = await self._connections().send(
                sent, stream=True, follow_redirects=request.method == "GET"
            )
            async with contextlib.aclosing(response):
                return Answer(response.status_code, response.headers, await read_body(response))
        except (httpx.TransportError, httpx.TooManyRedirects) as error:
            raise Unreachable(
                f"registry {request.host} did not answer {request.method} "
                f"({type(error).__name__}): check that it runs and that this machine can reach it"
            ) from error

    def _connections(self) -> httpx.AsyncClient:
        """The client of the running event loop: connections can't move to another one."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client, self._loop = self._new_client(), loop
            self._locks.clear()
        return self._client

    def _new_client(self) -> httpx.AsyncClient:
        return _Client(
            verify=trusted(),
            transport=self.transport or self._transport_for_many(),
            timeout=TIMEOUT,
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=16),
            max_redirects=3,
            event_hooks={"request": [self._refuse_plain_http]},
        )

    def _transport_for_many(self) -> httpx.AsyncBaseTransport | None:
        if not self._many:
            return None
        from slipway.clients.many_requests import many_requests  # noqa: PLC0415 - see there

        return many_requests(trusted())

    async def _refuse_plain_http(self, request: httpx.Request) -> None:
        """Every request passes here, also those to a token issuer and those of a redirect."""
        if request.url.scheme == "https":
            return
        host = request.url.netloc.decode()
        if not self._may_be_plain(host):
            raise InvalidInput(
                f"refusing to speak plain http to {host}: nothing would protect credentials and "
                "images; use https, or name the host as one that may be spoken to so"
            )


class _NoCookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """None."""


NO_COOKIES = _NoCookies()


class _Client(httpx.AsyncClient):
    """Without cookies: registries have none, and looking for them is a tenth of a request."""

    @property  # type: ignore[misc] # nobody sets any
    def cookies(self) -> httpx.Cookies:
        """None."""
        return NO_COOKIES


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    address: str
    headers: dict[str, str]
    content: bytes | None

    @property
    def host(self) -> str:
        """For messages: reading an address costs as much as sending the request."""
        return httpx.URL(self.address).netloc.decode()


def _read_token(host: str, answer: Answer, asked_at: float) -> _Token:
    try:
        document = httpx.Response(answer.status, content=answer.body).json()
        value = str(document.get("token") or document["access_token"])
        life = float(document.get("expires_in") or DEFAULT_TOKEN_LIFE)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreachable(
            f"the token issuer of registry {host} answered HTTP {answer.status} without a token: "
            "try again later"
        ) from error
    # Given back a little early, so that it does not run out on the way.
    return _Token(SecretStr(value), asked_at + life * 0.8)


def _basic_header(auth: httpx.BasicAuth) -> str:
    request = next(auth.sync_auth_flow(httpx.Request("GET", "https://registry.invalid")))
    return str(request.headers["authorization"])

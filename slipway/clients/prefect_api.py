"""Prefect's REST API, as far as starting runs needs it: without importing Prefect.

The webhook's process must be small and start at once; Prefect takes 1.5 seconds to import.
"""

import asyncio
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from slipway.clients.loopback import is_loopback
from slipway.errors import AccessDenied, InvalidInput, Unreachable
from slipway.ports import RunState

log = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
ENDS = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
STATES = {
    "SCHEDULED": RunState.WAITS,
    "CANCELLING": RunState.STOPPING,
    "CRASHED": RunState.CRASHED,
}
CLOUD = ("https://api.prefect.cloud", "https://app.prefect.cloud")
"""Prefect Cloud's API, and its UI."""
NOT_FOUND = httpx.codes.NOT_FOUND


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """Where the API is, and who we are there."""

    url: str
    """With its path: `http://127.0.0.1:4200/api`."""
    key: SecretStr | None = None
    """Of Prefect Cloud."""
    auth_string: SecretStr | None = None
    """`user:password` of a server that asks for it."""
    ui: str = ""
    """Where people see it; empty for where Prefect's own programs take it to be."""

    @property
    def pages(self) -> str:
        """The address of the UI, of a server or of Prefect Cloud, as Prefect infers it."""
        if self.ui:
            return self.ui.rstrip("/")
        address = self.url.rstrip("/").replace(*CLOUD).removesuffix("/api").replace("/api/", "/")
        return address.replace("/accounts/", "/account/").replace("/workspaces/", "/workspace/")

    def __post_init__(self) -> None:
        # It is shown in errors, and kept in the ledger with them.
        if "@" in self.url:
            raise InvalidInput(
                "the address of Prefect's API holds a user or a password: remove it from "
                "PREFECT_API_URL, and set PREFECT_API_AUTH_STRING to user:password"
            )
        address = httpx.URL(self.url)
        if address.scheme not in {"http", "https"} or not address.host:
            raise InvalidInput(
                f"{self.url!r} is not the address of a Prefect API: set PREFECT_API_URL to one "
                "like http://127.0.0.1:4200/api"
            )
        has_secret = self.key is not None or self.auth_string is not None
        if has_secret and address.scheme == "http" and not is_loopback(address.host):
            raise InvalidInput(
                f"Prefect's credentials would go over plain http to {address.host}: use https"
            )

    def sign(self, request: httpx.Request) -> httpx.Request:
        """Add our credentials; being the client's own `auth`, a .netrc does not replace them."""
        if self.key is not None:
            request.headers["Authorization"] = f"Bearer {self.key.get_secret_value()}"
        elif self.auth_string is not None:
            user, _, password = self.auth_string.get_secret_value().partition(":")
            return next(httpx.BasicAuth(user, password).auth_flow(request))
        return request


@dataclass(slots=True)
class PrefectApi:
    """The `FlowRuns` port; keeps its connections until it is closed."""

    server: PrefectServer
    transport: httpx.AsyncBaseTransport | None = field(default=None, repr=False)
    _client: httpx.AsyncClient | None = field(default=None, init=False, repr=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False, repr=False)
    _csrf: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    async def close(self) -> None:
        """Close every connection; a later request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def require(self, deployment: str) -> None:
        """See `slipway.ports.FlowRuns`."""
        await self._id_of(deployment)

    async def start(self, deployment: str, parameters: Mapping[str, object], key: str) -> str:
        """See `slipway.ports.FlowRuns`."""
        path = f"/deployments/{await self._id_of(deployment)}/create_flow_run"
        body = {"parameters": dict(parameters), "idempotency_key": key}
        made = await self._send("POST", path, body)
        if made.is_error:
            raise InvalidInput(
                f"Prefect refuses a run of {deployment} (HTTP {made.status_code} {_detail(made)}): "
                "run slipway register with the version that runs here"
            )
        return _id_in(made)

    def link(self, run: str) -> str:
        """See `slipway.ports.FlowRuns`."""
        return f"{self.server.pages}/runs/flow-run/{run}"

    async def state(self, run: str) -> RunState:
        """See `slipway.ports.FlowRuns`."""
        answer = await self._send("GET", f"/flow_runs/{quote(run, safe='')}")
        if answer.status_code == NOT_FOUND:
            return RunState.ENDED
        state = _object_in(answer).get("state")
        return _run_state(str(state.get("type")) if isinstance(state, dict) else "")

    async def withdraw(self, run: str, why: str) -> bool:
        """See `slipway.ports.FlowRuns`: of a run that only waits, Prefect makes a cancelled one.

        That is its rule `BypassCancellingFlowRunsWithNoInfra`; and no worker can take one after.
        """
        answer = await self._set_state(run, "Cancelling", why)
        state = answer.get("state")
        ended = isinstance(state, dict) and state.get("type") == "CANCELLED"
        return ended and answer.get("status") == "REJECT"

    async def give_up(self, run: str, why: str) -> None:
        """See `slipway.ports.FlowRuns`."""
        state = await self.state(run)
        if state.is_over:
            return
        kind = "Cancelled" if state is RunState.STOPPING else "Crashed"
        await self._set_state(run, kind, why)

    async def _set_state(self, run: str, kind: str, why: str) -> dict[str, Any]:
        state = {"type": kind.upper(), "name": kind, "message": why}
        path = f"/flow_runs/{quote(run, safe='')}/set_state"
        return _object_in(await self._send("POST", path, {"state": state}))

    async def _id_of(self, deployment: str) -> str:
        flow, _, name = deployment.partition("/")
        found = await self._send(
            "GET", f"/deployments/name/{quote(flow, safe='')}/{quote(name, safe='')}"
        )
        if found.status_code == NOT_FOUND:
            raise InvalidInput(
                f"Prefect at {self.server.url} has no deployment {deployment}: run slipway register"
            )
        return _id_in(found)

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """One request; a server that wants a token against forgery gets one, once."""
        answer = await self._send_once(method, path, body)
        if answer.status_code == httpx.codes.FORBIDDEN and "CSRF" in answer.text:
            await self._fetch_csrf()
            answer = await self._send_once(method, path, body)
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise AccessDenied(
                f"Prefect at {self.server.url} denies {method} {path} (HTTP {answer.status_code}): "
                "check PREFECT_API_KEY or PREFECT_API_AUTH_STRING"
            )
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
            raise Unreachable(
                f"Prefect at {self.server.url} can't now {method} {path}: HTTP "
                f"{answer.status_code} {_detail(answer)}; check its log if it stays"
            )
        return answer

    async def _send_once(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> httpx.Response:
        try:
            return await self._connections().request(method, path, json=body, headers=self._csrf)
        except httpx.HTTPError as error:
            raise Unreachable(
                f"Prefect at {self.server.url} did not answer {method} {path} "
                f"({type(error).__name__}): check PREFECT_API_URL, and that the server runs"
            ) from error

    async def _fetch_csrf(self) -> None:
        client = str(uuid.uuid4())
        answer = await self._send_once("GET", f"/csrf-token?client={client}", None)
        token = str(_object_in(answer).get("token", ""))
        self._csrf = {"Prefect-Csrf-Client": client, "Prefect-Csrf-Token": token}

    def _connections(self) -> httpx.AsyncClient:
        """The client of the running event loop: connections can't move to another one."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._loop = loop
            self._client = httpx.AsyncClient(
                base_url=self.server.url.rstrip("/"),
                auth=self.server.sign,
                transport=self.transport,
                timeout=TIMEOUT,
            )
        return self._client


def _run_state(type_: str) -> RunState:
    if type_ in ENDS:
        return RunState.ENDED
    return STATES.get(type_, RunState.TAKEN)


def _object_in(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _id_in(answer: httpx.Response) -> str:
    found = _object_in(answer).get("id")
    if not isinstance(found, str):
        raise Unreachable(
            f"{answer.request.url} answers {answer.request.method} with HTTP {answer.status_code} "
            "and no id: set PREFECT_API_URL to the address of Prefect's API, with /api"
        )
    return found


def _detail(answer: httpx.Response) -> str:
    """The server's own words, short enough for a message."""
    detail = _object_in(answer).get("detail") or answer.text
    return " ".join(str(detail).split())[:300]

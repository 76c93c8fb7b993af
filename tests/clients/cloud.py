"""Pulumi Cloud's stand-in in this process, with a wire that can be cut."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from pydantic import SecretStr

from sandbox.pulumi_cloud.accounts import SECTION, new_credentials
from sandbox.pulumi_cloud.app import create_app
from sandbox.pulumi_cloud.cloud import Cloud
from slipway.clients.esc import EscConfigStore
from slipway.clients.pulumi_api import PulumiApi
from slipway.domain.target import ConfigKey

BACKEND = "http://127.0.0.1:1"
ORGANIZATION = "acme"
ENVIRONMENT = f"{ORGANIZATION}/default/cluster"
PATH = f"/api/esc/environments/{ENVIRONMENT}"

Send = Callable[[httpx.Request], Awaitable[httpx.Response]]
Spoiler = Callable[[httpx.Request, Send], Awaitable[httpx.Response]]


def key(name: str = "adapterImage") -> ConfigKey:
    return ConfigKey(ORGANIZATION, "default", "cluster", f"cluster:{name}")


@dataclass
class Wire(httpx.AsyncBaseTransport):
    """Carries requests to the stand-in; `spoil` may do something else with one."""

    inner: httpx.AsyncBaseTransport
    spoil: Spoiler | None = None
    requests: list[httpx.Request] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.spoil is not None:
            return await self.spoil(request, self.inner.handle_async_request)
        return await self.inner.handle_async_request(request)

    def sent(self, method: str) -> int:
        return sum(request.method == method for request in self.requests)


class CloudHere:
    """The stand-in over a folder, and clients of it for its accounts."""

    def __init__(self, folder: Path) -> None:
        self.accounts = new_credentials(ORGANIZATION)
        credentials = folder / "credentials.json"
        credentials.write_text(json.dumps({SECTION: self.accounts}))
        app = create_app(Cloud.in_folder(folder / "state", credentials))
        self.wire = Wire(httpx.ASGITransport(app))

    def api(self, login: str = "slipway") -> PulumiApi:
        token = SecretStr(self.accounts["accounts"][login]["token"])
        return PulumiApi(BACKEND, token, self.wire)

    def store(self, login: str = "slipway") -> EscConfigStore:
        return EscConfigStore(self.api(login))

    async def define(self, text: str, login: str = "operator", environment: str = "") -> None:
        """Somebody writes a whole definition, as the console does; made if it is not there."""
        api, path = self.api(login), f"{PATH}{environment}"
        if (await api.send("GET", path)).status == 404:
            name = path.rpartition("/")[2]
            made = json.dumps({"project": "default", "name": name})
            await api.send("POST", f"/api/esc/environments/{ORGANIZATION}", content=made)
        answer = await api.send("PATCH", path, content=text)
        assert answer.good, answer.text

    async def text(self) -> str:
        """The definition as it stands."""
        return (await self.api("operator").send("GET", PATH)).text

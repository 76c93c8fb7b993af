"""The stand-in for Pulumi Cloud in this process: accounts, a clock to move, callers."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from sandbox.pulumi_cloud.accounts import new_credentials
from sandbox.pulumi_cloud.app import create_app
from sandbox.pulumi_cloud.cloud import Cloud

ORGANIZATION = "acme"


@dataclass
class MovableClock:
    """Time that passes only when told to."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class CloudInProcess:
    """A stand-in over a folder; `restart` makes a new one over the same folder."""

    folder: Path
    clock: MovableClock = field(default_factory=MovableClock)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.file = self.folder / "credentials.json"
        if not self.file.exists():
            self.write_credentials(new_credentials(ORGANIZATION))
        self._app = create_app(Cloud.in_folder(self.folder / "state", self.file, self.clock))

    def restart(self) -> "CloudInProcess":
        return CloudInProcess(self.folder, self.clock)

    @property
    def credentials(self) -> dict[str, Any]:
        section: dict[str, Any] = json.loads(self.file.read_text())["pulumi_cloud"]
        return section

    def write_credentials(self, section: dict[str, Any]) -> None:
        self.file.write_text(json.dumps({"pulumi_cloud": section}))

    def client(self, login: str = "slipway") -> httpx.AsyncClient:
        return self.with_authorization(f"token {self.credentials['accounts'][login]['token']}")

    def admin(self) -> httpx.AsyncClient:
        return self.with_authorization(f"token {self.credentials['admin_token']}")

    def with_authorization(self, authorization: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self._app),
            base_url="http://cloud",
            headers={"authorization": authorization},
        )

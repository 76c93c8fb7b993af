"""An OCI registry with token authentication like GHCR's: Debian's docker-registry and an issuer."""

import json
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from sandbox.token_issuer.accounts import Account, make_accounts
from sandbox.token_issuer.keys import CERTIFICATE_FILE, ISSUER, make_key

PROGRAM = "/usr/bin/docker-registry"


@dataclass(frozen=True, slots=True)
class ImageRegistry:
    """Where the registry's files lie, and where it and its issuer listen."""

    folder: Path
    port: int
    issuer_port: int

    @property
    def host(self) -> str:
        """The host as image names have it."""
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> dict[str, Account]:
        """Write key, accounts and configuration, unless they are there; the accounts."""
        make_key(self.folder)
        accounts = make_accounts(self.folder)
        configuration = self.folder / "config.yml"
        if not configuration.exists():
            configuration.touch(mode=0o600)
            configuration.write_text(json.dumps(self._configuration(), indent=1) + "\n")
        return accounts

    def command(self) -> list[str]:
        """Start the registry."""
        return [PROGRAM, "serve", str(self.folder / "config.yml")]

    def issuer_command(self) -> list[str]:
        """Start the issuer."""
        module = [sys.executable, "-m", "sandbox.token_issuer"]
        return [*module, f"--folder={self.folder}", f"--port={self.issuer_port}"]

    def answers(self) -> bool:
        """Whether the registry answers, with its challenge."""
        return _status(f"http://{self.host}/v2/") == httpx.codes.UNAUTHORIZED

    def issuer_answers(self) -> bool:
        """Whether the issuer answers."""
        return _status(f"http://127.0.0.1:{self.issuer_port}/health") == httpx.codes.OK

    def _configuration(self) -> dict[str, object]:
        """The configuration; JSON is YAML too."""
        return {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "images")},
                "delete": {"enabled": True},
            },
            "http": {"addr": self.host, "secret": secrets.token_hex(16)},
            "auth": {
                "token": {
                    "realm": f"http://127.0.0.1:{self.issuer_port}/token",
                    "service": self.host,
                    "issuer": ISSUER,
                    "rootcertbundle": str(self.folder / CERTIFICATE_FILE),
                }
            },
        }


def _status(address: str) -> int:
    try:
        return httpx.get(address, timeout=2).status_code
    except httpx.TransportError:
        return 0

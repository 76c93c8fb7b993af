"""An OCI registry with token authentication like GHCR's: Debian's docker-registry and an issuer."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx

from sandbox import containerd
from sandbox.box import Box
from sandbox.processes import Processes
from sandbox.token_issuer.accounts import Account, make_accounts, read_accounts
from sandbox.token_issuer.keys import CERTIFICATE_FILE, ISSUER, make_key

ROOT = Path(__file__).parents[1]
READY_WITHIN = 180.0


class Registry:
    """The part that keeps images, and says who may pull and push them."""

    name = "registry"
    needs: Sequence[str] = ()
    processes: Sequence[str] = ("token-issuer", "docker-registry")

    def start(self, box: Box) -> None:
        """Start issuer and registry, and let the node pull by plain http."""
        make_key(folder(box))
        make_accounts(folder(box), lambda name: box.secret(f"registry-{name}"))
        containerd.allow_http(box, host(box))
        configuration = box.folder("registry") / "config.yml"
        configuration.touch(mode=0o600)
        configuration.write_text(json.dumps(_configuration(box), indent=1) + "\n")
        processes = Processes(box)
        issuer = [sys.executable, "-m", "sandbox.token_issuer", f"--folder={folder(box)}"]
        port = box.port("token-issuer")
        processes.start("token-issuer", [*issuer, f"--port={port}"], folder=ROOT)
        processes.start("docker-registry", ["/usr/bin/docker-registry", "serve", configuration])
        for name, address, status in (
            ("token-issuer", f"http://127.0.0.1:{port}/health", httpx.codes.OK),
            ("docker-registry", f"http://{host(box)}/v2/", httpx.codes.UNAUTHORIZED),
        ):
            processes.wait(name, f"{name} answers", _answers(address, status), READY_WITHIN)

    def clean(self, box: Box) -> None:
        """Leave nothing: ended processes of a registry hold nothing."""

    def environment(self, box: Box) -> Mapping[str, str]:
        """The registry's host, as image names have it."""
        return {"SANDBOX_REGISTRY": host(box)}


def host(box: Box) -> str:
    """The host as image names have it."""
    return f"127.0.0.1:{box.port('registry')}"


def folder(box: Box) -> Path:
    """Where the registry keeps its images, and the issuer its key and accounts."""
    return box.folder("registry")


def accounts(box: Box) -> dict[str, Account]:
    """The registry's accounts by their names."""
    return read_accounts(folder(box))


def _configuration(box: Box) -> dict[str, object]:
    """The registry's configuration; JSON is YAML too."""
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder(box) / "images")},
            "delete": {"enabled": True},
        },
        "http": {"addr": host(box), "secret": box.secret("registry-http")},
        "auth": {
            "token": {
                "realm": f"http://127.0.0.1:{box.port('token-issuer')}/token",
                "service": host(box),
                "issuer": ISSUER,
                "rootcertbundle": str(folder(box) / CERTIFICATE_FILE),
            }
        },
    }


def _answers(address: str, status: int) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            return httpx.get(address, timeout=2).status_code == status
        except httpx.TransportError:
            return False

    return answers

"""GitHub in the sandbox (its API, what it tells after a push), and `slipway webhook`."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from sandbox import example, prefect_server, repository
from sandbox.box import Box
from sandbox.github.places import api, secret, token, webhook_address
from sandbox.processes import Processes
from slipway.ledger.settings import VARIABLE

ROOT = Path(__file__).parents[2]
READY_WITHIN = 180.0


class GitHub:
    """Tells the webhook of every push to the example's repository, and answers its REST API."""

    name = "github"
    needs: Sequence[str] = ("git",)
    processes: Sequence[str] = ("github",)

    def start(self, box: Box) -> None:
        """Put the hook into the repository, and start the API."""
        bare = repository.path(box)
        where = [f"--state={box.root}", f"--repository={bare}"]
        words = [sys.executable, "-m", "sandbox.github", "pushed", *where]
        hook = bare / "hooks" / "post-receive"
        hook.parent.mkdir(exist_ok=True)
        # Git's own variables would follow into every git command that the hook runs.
        hook.write_text(
            f"#!/bin/sh\nunset GIT_DIR GIT_QUARANTINE_PATH\n"
            f"cd {shlex.quote(str(ROOT))} && exec {shlex.join(words)}\n"
        )
        hook.chmod(0o755)
        processes = Processes(box)
        words = [sys.executable, "-m", "sandbox.github", "serve", *where]
        processes.start("github", words, environment={"PYTHONPATH": str(ROOT)})
        processes.wait("github", "its API answers", lambda: _answers(box), READY_WITHIN)

    def clean(self, box: Box) -> None:
        """Leave nothing: statuses and deployments end with the process."""

    def environment(self, box: Box) -> Mapping[str, str]:
        """Where a person could look at what is shown of a commit."""
        return {"SANDBOX_GITHUB": api(box), "SANDBOX_GITHUB_TOKEN": token(box)}


@dataclass(frozen=True)
class Webhook:
    """`slipway webhook`, for the example's targets."""

    ledger: str = ""
    """URL of its ledger; empty for the sandbox's own file."""

    name = "webhook"
    needs: Sequence[str] = ("github", "worker")
    processes: Sequence[str] = ("slipway-webhook",)

    def start(self, box: Box) -> None:
        """Start it, and wait until it can keep deliveries."""
        processes = Processes(box)
        program = "from slipway.cli.main import main; main()"
        processes.start(
            "slipway-webhook",
            [sys.executable, "-c", program, "webhook"],
            environment={
                **example.places(box),
                **({VARIABLE: self.ledger} if self.ledger else {}),
                "SANDBOX_GITHUB_TOKEN": token(box),
                "PREFECT_API_URL": prefect_server.api(box),
                "SLIPWAY_WEBHOOK_SECRETS": secret(box),
                "SLIPWAY_WEBHOOK_PORT": str(box.port("webhook")),
            },
            folder=ROOT,
        )
        processes.wait("slipway-webhook", "it is healthy", lambda: _healthy(box), READY_WITHIN)

    def clean(self, box: Box) -> None:
        """Leave nothing: what it kept is in the ledger."""

    def environment(self, box: Box) -> Mapping[str, str]:
        """Where a person could deliver to."""
        return {"SANDBOX_WEBHOOK": webhook_address(box)}


def _answers(box: Box) -> bool:
    try:
        return httpx.get(f"{api(box)}/healthz", timeout=2.0).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _healthy(box: Box) -> bool:
    address = webhook_address(box).replace("/github", "/health")
    try:
        return httpx.get(address, timeout=2.0).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False

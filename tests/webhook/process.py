"""`slipway webhook` as a process of its own, on a real repository and a ledger in a file."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner

from slipway.cli.main import main
from tests.webhook.requests import SECRET, headers, push

ROOT = Path(__file__).parents[2]
TARGET = "adapter-prod"
NOWHERE = "http://127.0.0.1:9/api"
CONFIGURATION = """
[repositories.shop]
url = "{repository}"
github = "acme/shop"
[registries.ghcr]
host = "ghcr.io"
password = {{ environment = "NOT_FOR_THE_WEBHOOK" }}
[pulumi.acme]
token = {{ environment = "NOT_FOR_THE_WEBHOOK_EITHER" }}
[clusters.home]
context = "home"
[docker.local]
host = "unix:///var/run/docker.sock"
[targets.adapter-prod]
image = "ghcr.io/acme/shop/adapter"
folder = "adapter"
stack = "acme/cluster/prod"
environment = "acme/default/cluster"
key = "cluster:adapterImage"
namespace = "apps"
deployment = "adapter"
container = "adapter"
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Repository:
    """A repository with a work tree to commit in."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str) -> str:
        identity = ["-c", "user.name=ada", "-c", "user.email=ada@example.com"]
        command = ["git", *identity, *words]
        done = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Commit files of adapter/; the commit's hash."""
        for name, text in files.items():
            path = self.folder / "adapter" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a commit")
        return self.git("rev-parse", "HEAD")


@dataclass
class WebhookProcess:
    """The receiver and dispatcher of one machine; `folder` is all that outlives it."""

    folder: Path
    prefect: str = NOWHERE
    more: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.repository = Repository(self.folder / "repository")
        self.config = self.folder / "slipway.toml"
        self.config.write_text(CONFIGURATION.format(repository=self.repository.folder))
        self.port = free_port()

    @property
    def environment(self) -> dict[str, str]:
        """Nothing but what the process needs."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "SLIPWAY_WEBHOOK_SECRETS": SECRET.replace(" ", "-"),
            "SLIPWAY_WEBHOOK_PORT": str(self.port),
            "PREFECT_API_URL": self.prefect,
            **self.more,
        }

    @contextlib.contextmanager
    def running(self, *, end: int = signal.SIGTERM) -> Iterator[subprocess.Popen[bytes]]:
        """The process, from its first healthy answer to its end by the signal."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(self._command("webhook"), env=self.environment, stderr=log)
        try:
            self._wait(process)
            yield process
        finally:
            process.send_signal(end)
            process.wait(240)

    def deliver(self, body: Mapping[str, Any], name: str) -> httpx.Response:
        """A signed delivery."""
        content = json.dumps(body).encode()
        sent = headers(content, delivery=name, secret=SECRET.replace(" ", "-"))
        return httpx.post(
            f"http://127.0.0.1:{self.port}/github",
            content=content,
            headers=list(sent.items()),
            timeout=30,
        )

    def deliver_push(self, after: str, before: str, name: str) -> httpx.Response:
        """A push to main, as GitHub tells it."""
        return self.deliver(push(before=before, after=after), name)

    def deliveries(self) -> list[dict[str, Any]]:
        """What `slipway deliveries` shows."""
        words = ["--config", str(self.config), "deliveries", "--json"]
        done = CliRunner(env=self.environment).invoke(main, words, catch_exceptions=False)
        shown: list[dict[str, Any]] = json.loads(done.stdout)
        return shown

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def _command(self, *words: str) -> list[str]:
        program = "from slipway.cli.main import main; main()"
        return [sys.executable, "-c", program, "--config", str(self.config), *words]

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{self.port}/health").status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(self.log())

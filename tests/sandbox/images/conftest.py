"""An engine, a registry and its issuer of these tests' own, started once."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr

from sandbox import docker_engine
from sandbox.example_history import make_repository
from sandbox.example_images import make_base_image
from sandbox.image_registry import ImageRegistry
from sandbox.token_issuer.accounts import PUBLISHER, Account
from slipway.clients.docker import DockerBuilder
from slipway.clients.git import GitMirror
from slipway.clients.git_remote import Remote
from slipway.clients.registry import OciRegistry
from slipway.clients.registry_session import RegistrySession
from slipway.domain.image import ImageReference
from slipway.domain.target import Service
from slipway.ports import PullCredentials

ROOT = Path(__file__).parents[3]


def until(is_so: Callable[[], bool], what: str, within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while not is_so():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} not within {within:.0f} s")
        time.sleep(0.02)  # between two looks at another process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class ImageSide:
    """Everything of the sandbox that images need."""

    folder: Path
    registry: ImageRegistry
    accounts: dict[str, Account] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def engine(self) -> str:
        return docker_engine.address(self.folder)

    def service(self, name: str = "ls-triton-adapter", folder: str = "adapter") -> Service:
        return Service(name, folder, f"{self.registry.host}/oceanid/{name}")

    def credentials(self, name: str) -> PullCredentials:
        account = self.accounts[name]
        return PullCredentials(self.registry.host, name, SecretStr(account.password))

    def start(self, name: str, command: list[str], answers: Callable[[], bool]) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            self.running[name] = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
        until(answers, f"{name} answers")

    def start_registry(self) -> None:
        self.start("registry", self.registry.command(), self.registry.answers)

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        process = self.running.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        process.wait(30)

    def skopeo(self, *words: str, account: str = PUBLISHER) -> subprocess.CompletedProcess[str]:
        """The independent witness."""
        who = f"--creds={account}:{self.accounts[account].password}"
        command, *names = words
        return subprocess.run(
            ["skopeo", command, "--tls-verify=false", who, *names],  # noqa: S607 - Debian's skopeo
            capture_output=True,
            text=True,
            check=False,
        )

    def tagged(self, reference: ImageReference) -> bool:
        return self.skopeo("inspect", "--raw", f"docker://{reference}").returncode == 0

    def uploads_under_way(self) -> bool:
        """Whether the registry is receiving a layer, of which it has some bytes already."""
        found = self.registry.folder.glob("images/**/_uploads/*/data")
        return any(each.stat().st_size > 0 for each in found)


@pytest.fixture(scope="session")
def images() -> Iterator[ImageSide]:
    # Not pytest's own folder: the name of the engine's socket would become too long.
    folder = Path(tempfile.mkdtemp(prefix="slipway-images-"))
    side = ImageSide(folder, ImageRegistry(folder / "registry", free_port(), free_port()))
    side.accounts = side.registry.prepare()
    try:
        side.start("issuer", side.registry.issuer_command(), side.registry.issuer_answers)
        side.start_registry()
        engine = docker_engine.command(folder)
        side.start("docker", engine, lambda: docker_engine.answers(side.engine))
        make_base_image(side.engine)
        yield side
    finally:
        for name in list(side.running):
            side.end(name)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def history(images: ImageSide) -> dict[str, str]:
    return make_repository(images.folder / "example.git")


@pytest.fixture
async def mirror(images: ImageSide, history: dict[str, str], tmp_path: Path) -> GitMirror:
    mirror = GitMirror(Remote(str(images.folder / "example.git")), tmp_path)
    assert history
    await mirror.fetch()
    return mirror


@pytest.fixture
async def registry(images: ImageSide) -> AsyncIterator[OciRegistry]:
    client = OciRegistry(RegistrySession(images.credentials(PUBLISHER)))
    yield client
    await client.close()


@pytest.fixture
def builder(images: ImageSide, registry: OciRegistry) -> DockerBuilder:
    return DockerBuilder(registry, images.credentials(PUBLISHER), images.engine)

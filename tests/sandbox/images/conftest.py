"""An engine, a registry and its issuer of these tests' own, started once."""

import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from sandbox import docker_engine, image_registry, repository
from sandbox.box import Box
from sandbox.part import Part, start_all, stop_all
from sandbox.token_issuer.accounts import PUBLISHER, Account
from slipway.clients.docker import DockerBuilder
from slipway.clients.git import GitMirror
from slipway.clients.git_remote import Remote
from slipway.clients.registry import OciRegistry
from slipway.clients.registry_session import RegistrySession
from slipway.domain.image import ImageReference
from slipway.domain.target import Service
from slipway.ports import PullCredentials
from tests.sandbox.witness import skopeo


@dataclass(frozen=True)
class ImageSide:
    """Everything of the sandbox that images need."""

    box: Box

    @property
    def host(self) -> str:
        return image_registry.host(self.box)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.box.port('token-issuer')}/token"

    @property
    def engine(self) -> str:
        return docker_engine.engine(self.box)

    def service(self, name: str = "ls-triton-adapter", folder: str = "adapter") -> Service:
        return Service(name, folder, f"{self.host}/oceanid/{name}")

    def account(self, name: str) -> Account:
        return image_registry.accounts(self.box)[name]

    def credentials(self, name: str) -> PullCredentials:
        return PullCredentials(self.host, name, SecretStr(self.account(name).password))

    def skopeo(self, command: str, *words: str) -> subprocess.CompletedProcess[str]:
        return skopeo(self.box, command, *words)

    def tagged(self, reference: ImageReference) -> bool:
        return self.skopeo("inspect", "--raw", f"docker://{reference}").returncode == 0


@pytest.fixture(scope="session")
def images() -> Iterator[ImageSide]:
    # Not pytest's own folder: the names of sockets would become too long.
    box = Box(Path(tempfile.mkdtemp(prefix="slipway-images-")))
    parts: list[Part] = [docker_engine.Docker(), image_registry.Registry(), repository.Repository()]
    try:
        start_all(box, parts)
        yield ImageSide(box)
    finally:
        stop_all(box, parts)
        shutil.rmtree(box.root)


@pytest.fixture(scope="session")
def history(images: ImageSide) -> dict[str, str]:
    return repository.commits(images.box)


@pytest.fixture
async def mirror(images: ImageSide, tmp_path: Path) -> GitMirror:
    mirror = GitMirror(Remote(str(repository.path(images.box))), tmp_path)
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

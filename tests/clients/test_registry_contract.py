"""The registry in memory promises what the client does."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from slipway.domain.image import Digest
from slipway.ports import PullCredentials
from tests.clients.recorded import HOST, PASSWORD, REPOSITORY, Recorded
from tests.clients.registry_contract import Holding, RegistryContract
from tests.fakes.faults import Faults
from tests.fakes.images import FakeRegistry, make_image


class InMemory(Holding):
    def __init__(self) -> None:
        self.fake = FakeRegistry(Faults())
        self.registry = self.fake
        self.repository = REPOSITORY
        self.good = PullCredentials(HOST, "puller", SecretStr("pull-password"))

    async def put(self, tag: str, labels: Mapping[str, str]) -> Digest:
        image = make_image(f"good {sorted(labels.items())}", labels)
        self.fake.put(self.repository, tag, image)
        return image.digest

    async def delete(self, digest: Digest) -> None:
        self.fake.delete(self.repository, digest)


class OverHttp(Holding):
    def __init__(self, kept: Path | None = None) -> None:
        self.recorded = Recorded()
        self.registry = self.recorded.client(kept=kept)
        self.repository = REPOSITORY
        self.good = PullCredentials(HOST, "robot", SecretStr(PASSWORD))

    async def put(self, tag: str, labels: Mapping[str, str]) -> Digest:
        return Digest(self.recorded.add_image(tag, dict(labels)))

    async def delete(self, digest: Digest) -> None:
        body = self.recorded.manifests[str(digest)]
        held = self.recorded.manifests.items()
        self.recorded.manifests = {name: each for name, each in held if each != body}


class TestInMemory(RegistryContract):
    @pytest.fixture
    def holding(self) -> Holding:
        return InMemory()


class TestOverHttp(RegistryContract):
    @pytest.fixture
    def holding(self) -> Holding:
        return OverHttp()


class TestOverHttpWithKeptDocuments(RegistryContract):
    @pytest.fixture
    def holding(self, tmp_path: Path) -> Holding:
        return OverHttp(tmp_path)

"""The client keeps its promises on a real registry, filled by a real engine."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest

from sandbox.token_issuer.accounts import PULLER
from slipway.clients.docker import DockerBuilder
from slipway.clients.registry import OciRegistry
from slipway.clients.registry_session import MANY
from slipway.domain.image import Digest, ImageReference
from tests.clients.registry_contract import Holding, RegistryContract
from tests.sandbox.images.conftest import ImageSide
from tests.sandbox.images.test_publishing import make_tree

pytestmark = pytest.mark.sandbox

_numbers = itertools.count()


class Real(Holding):
    def __init__(
        self, images: ImageSide, registry: OciRegistry, builder: DockerBuilder, folder: Path
    ) -> None:
        self.images, self.registry, self.builder, self.folder = images, registry, builder, folder
        self.service = images.service(f"contract-{next(_numbers)}")
        self.repository = self.service.repository
        self.good = images.credentials(PULLER)

    async def put(self, tag: str, labels: Mapping[str, str]) -> Digest:
        tree = make_tree(self.folder / tag, Dockerfile="FROM scratch\nCOPY a /\n", a=tag)
        image_id = await self.builder.build(tree, self.service, labels)
        return await self.builder.push(image_id, ImageReference(self.repository, tag))

    async def delete(self, digest: Digest) -> None:
        assert self.images.skopeo("delete", f"docker://{self.repository}@{digest}").returncode == 0


class TestReal(RegistryContract):
    @pytest.fixture
    def holding(
        self, images: ImageSide, registry: OciRegistry, builder: DockerBuilder, tmp_path: Path
    ) -> Holding:
        return Real(images, registry, builder, tmp_path)


class TestRealForManyRequests(TestReal):
    @pytest.fixture
    def registry(self, registry: OciRegistry) -> OciRegistry:
        registry.expect(MANY)
        return registry

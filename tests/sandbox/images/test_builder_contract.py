"""The client keeps its promises on a real engine, beside a real registry."""

from pathlib import Path
from uuid import uuid4

import pytest

from sandbox.token_issuer.accounts import READER
from slipway.clients.docker import DockerBuilder
from slipway.clients.registry import OciRegistry
from slipway.ports import ImageBuilder, ImageRegistry
from tests.contracts.builder import BuilderContract, Workshop
from tests.sandbox.images.conftest import ImageSide
from tests.sandbox.images.test_publishing import make_tree

pytestmark = pytest.mark.sandbox


class OnDocker(Workshop):
    def __init__(
        self, images: ImageSide, registry: OciRegistry, builder: DockerBuilder, folder: Path
    ) -> None:
        reader = DockerBuilder(registry, images.credentials(READER), images.engine)
        self.registry: ImageRegistry = registry
        self.builder: ImageBuilder = builder
        self.of_a_reader: ImageBuilder = reader
        self.service, self._folder = images.service(f"built-{uuid4().hex[:8]}"), folder

    def tree(self, text: str) -> Path:
        return make_tree(self._folder / text, Dockerfile="FROM scratch\nCOPY a /\n", a=text)

    def broken_tree(self) -> Path:
        return make_tree(self._folder / "broken", Dockerfile="FROM scratch\nCOPY absent /\n")


class TestOnDocker(BuilderContract):
    @pytest.fixture
    def here(
        self, images: ImageSide, registry: OciRegistry, builder: DockerBuilder, tmp_path: Path
    ) -> Workshop:
        return OnDocker(images, registry, builder, tmp_path)

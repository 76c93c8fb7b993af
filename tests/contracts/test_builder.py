"""The builder in memory keeps what the real one does."""

from pathlib import Path

import pytest

from slipway.domain.target import Service
from slipway.ports import ImageBuilder, ImageRegistry
from tests.contracts.builder import BuilderContract, Workshop
from tests.fakes.faults import Faults
from tests.fakes.git import FakeGit
from tests.fakes.images import FakeBuilder, FakeRegistry


class InMemory(Workshop):
    def __init__(self) -> None:
        self._git, registry = FakeGit(Faults()), FakeRegistry(Faults())
        self.registry: ImageRegistry = registry
        built = FakeBuilder(Faults(), self._git, registry)
        self.builder: ImageBuilder = built
        self.of_a_reader: ImageBuilder = FakeBuilder(
            Faults(), self._git, registry, built.built, may_push=False
        )
        self.service = Service("web", "adapter", "ghcr.io/acme/shop/web")

    def tree(self, text: str) -> Path:
        return Path(self._git.commit(text, {"adapter/app.py": text}).sha)

    def broken_tree(self) -> Path:
        return self.tree("does-not-compile")


class TestInMemory(BuilderContract):
    @pytest.fixture
    def here(self) -> Workshop:
        return InMemory()

"""What every ImageBuilder promises: the one in memory, and the client of a real Docker engine."""

from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from slipway.domain.image import ImageReference
from slipway.domain.publication import BUILD_INPUTS_LABEL, REVISION_LABEL, SOURCE_LABEL
from slipway.domain.target import Service
from slipway.errors import AccessDenied, BuildFailed, SlipwayError
from slipway.ports import ImageBuilder, ImageRegistry

COMMIT, ANOTHER = "1" * 40, "2" * 40
LABELS = {REVISION_LABEL: COMMIT, SOURCE_LABEL: "https://example.invalid", BUILD_INPUTS_LABEL: "ab"}


class Workshop(ABC):
    """A builder, the registry that it pushes to, and a repository of this test's own."""

    builder: ImageBuilder
    of_a_reader: ImageBuilder
    """The same engine, with an account that may only pull."""
    registry: ImageRegistry
    service: Service

    @abstractmethod
    def tree(self, text: str) -> Path:
        """A checkout whose image holds this text."""

    @abstractmethod
    def broken_tree(self) -> Path:
        """A checkout whose second step fails."""

    def named(self, tag: str = COMMIT) -> ImageReference:
        return ImageReference(self.service.repository, tag)


class BuilderContract:
    """Subclasses give a fixture `here`."""

    async def test_what_is_built_and_pushed_is_found_as_it_was_confirmed(
        self, here: Workshop
    ) -> None:
        await here.builder.check()

        image_id = await here.builder.build(here.tree("one"), here.service, LABELS)
        digest = await here.builder.push(image_id, here.named())

        found = await here.registry.find(here.named())
        assert found is not None
        assert found.digest == digest
        assert image_id in {str(each) for each in found.accepted}
        assert (found.revision, found.build_inputs) == (COMMIT, "ab")
        assert found.platforms == {"linux/amd64"}

    async def test_a_build_alone_publishes_nothing(self, here: Workshop) -> None:
        await here.builder.build(here.tree("one"), here.service, LABELS)

        assert list(await here.registry.tags(here.service.repository)) == []

    async def test_the_same_build_again_is_the_same_image(self, here: Workshop) -> None:
        ids = [await here.builder.build(here.tree("one"), here.service, LABELS) for _ in range(2)]
        digests = {
            await here.builder.push(ids[0], here.named()),
            await here.builder.push(ids[1], here.named()),
            await here.builder.push(ids[1], here.named(ANOTHER)),
        }

        assert len(set(ids)) == len(digests) == 1

    async def test_other_files_or_other_labels_are_another_image(self, here: Workshop) -> None:
        built = [
            await here.builder.build(here.tree(text), here.service, labels)
            for text, labels in [
                ("one", LABELS),
                ("two", LABELS),
                ("one", {**LABELS, REVISION_LABEL: ANOTHER}),
            ]
        ]
        pushed = [await here.builder.push(each, here.named()) for each in built]

        found = await here.registry.find(here.named())
        assert len(set(built)) == len(set(pushed)) == 3
        assert found is not None
        assert (found.digest, found.revision) == (pushed[-1], ANOTHER)

    async def test_a_step_that_fails_fails_the_build_and_is_told_with_the_service(
        self, here: Workshop
    ) -> None:
        with pytest.raises(BuildFailed, match=here.service.name) as failed:
            await here.builder.build(here.broken_tree(), here.service, LABELS)

        assert "deploy the new commit" in str(failed.value)
        assert list(await here.registry.tags(here.service.repository)) == []

    async def test_an_account_that_may_only_pull_pushes_nothing(self, here: Workshop) -> None:
        image_id = await here.builder.build(here.tree("one"), here.service, LABELS)

        with pytest.raises(AccessDenied, match=r"push of .* denied"):
            await here.of_a_reader.push(image_id, here.named())

        assert await here.registry.find(here.named()) is None

    async def test_an_image_that_the_engine_has_not_can_not_be_pushed(self, here: Workshop) -> None:
        with pytest.raises(SlipwayError):
            await here.builder.push(f"sha256:{'0' * 64}", here.named())

        assert await here.registry.find(here.named()) is None

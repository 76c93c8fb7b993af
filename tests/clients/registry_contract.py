"""What every image registry promises; the client and the one in memory pass the same tests."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import pytest
from pydantic import SecretStr

from slipway.domain.image import Digest, ImageReference
from slipway.domain.publication import BUILD_INPUTS_LABEL, REVISION_LABEL, SOURCE_LABEL
from slipway.errors import AccessDenied, ImageMissing
from slipway.ports import ImageRegistry, PullCredentials

COMMIT = "1" * 40
LABELS = {REVISION_LABEL: COMMIT, SOURCE_LABEL: "https://example.invalid", BUILD_INPUTS_LABEL: "ab"}
NOWHERE = Digest(f"sha256:{'0' * 64}")


class Holding(ABC):
    """A registry, and how to put something into it behind the port's back."""

    registry: ImageRegistry
    repository: str
    good: PullCredentials

    @abstractmethod
    async def put(self, tag: str, labels: Mapping[str, str]) -> Digest:
        """What a finished push leaves."""

    @abstractmethod
    async def delete(self, digest: Digest) -> None:
        """Delete an image and every tag of it."""

    def named(self, tag: str) -> ImageReference:
        return ImageReference(self.repository, tag)


class RegistryContract:
    """Subclasses give a fixture `holding`."""

    async def test_an_image_is_found_by_tag_and_by_digest(self, holding: Holding) -> None:
        digest = await holding.put(COMMIT, LABELS)

        by_tag = await holding.registry.find(holding.named(COMMIT))
        by_digest = await holding.registry.find(ImageReference(holding.repository, digest=digest))

        assert by_tag is not None
        assert by_tag == by_digest
        assert by_tag.digest == digest
        assert digest in by_tag.accepted
        assert by_tag.platforms == {"linux/amd64"}
        told = (by_tag.revision, by_tag.source, by_tag.build_inputs)
        assert told == (COMMIT, "https://example.invalid", "ab")

    async def test_an_image_without_labels_says_so(self, holding: Holding) -> None:
        await holding.put(COMMIT, {})

        image = await holding.registry.find(holding.named(COMMIT))

        assert image is not None
        assert (image.revision, image.source, image.build_inputs) == (None, None, None)

    async def test_what_is_not_there_is_nothing(self, holding: Holding) -> None:
        await holding.put(COMMIT, LABELS)
        elsewhere = f"{holding.repository}-other"

        assert await holding.registry.find(holding.named("main")) is None
        at_digest = ImageReference(holding.repository, COMMIT, NOWHERE)
        assert await holding.registry.find(at_digest) is None
        assert await holding.registry.find(ImageReference(elsewhere, COMMIT)) is None
        assert list(await holding.registry.tags(elsewhere)) == []

    async def test_nobody_has_signed_what_nobody_has_signed(self, holding: Holding) -> None:
        digest = await holding.put(COMMIT, LABELS)

        assert list(await holding.registry.signatures(holding.repository, digest)) == []

    async def test_a_tag_moves_to_exactly_one_image(self, holding: Holding) -> None:
        await holding.put("main", {"of": "before"})
        await holding.put(COMMIT, LABELS)
        image = await holding.registry.find(holding.named(COMMIT))
        assert image is not None

        await holding.registry.tag(image, "main")

        assert await holding.registry.find(holding.named("main")) == image
        assert set(await holding.registry.tags(holding.repository)) == {"main", COMMIT}

    async def test_what_is_deleted_is_missing_and_cannot_be_tagged(self, holding: Holding) -> None:
        digest = await holding.put(COMMIT, LABELS)
        image = await holding.registry.find(holding.named(COMMIT))
        assert image is not None
        await holding.delete(digest)

        assert await holding.registry.find(holding.named(COMMIT)) is None
        with pytest.raises(ImageMissing):
            await holding.registry.probe(holding.named(COMMIT), holding.good)
        with pytest.raises(ImageMissing):
            await holding.registry.tag(image, "main")
        assert await holding.registry.find(holding.named("main")) is None

    async def test_who_may_push_is_told_so_and_nothing_is_pushed(self, holding: Holding) -> None:
        await holding.registry.require_push(holding.repository)

        assert list(await holding.registry.tags(holding.repository)) == []

    async def test_a_probe_proves_these_credentials_and_no_others(self, holding: Holding) -> None:
        await holding.put(COMMIT, LABELS)
        good = holding.good
        wrong = PullCredentials(good.host, good.username, SecretStr("wrong"))
        nobody = PullCredentials(good.host, "nobody", good.password)

        await holding.registry.probe(holding.named(COMMIT), good)

        for each in (wrong, nobody, None):
            with pytest.raises(AccessDenied):
                await holding.registry.probe(holding.named(COMMIT), each)

    async def test_everything_an_image_is_known_by_is_among_what_belongs_to_it(
        self, holding: Holding
    ) -> None:
        digest = await holding.put(COMMIT, LABELS)
        image = await holding.registry.find(holding.named(COMMIT))
        assert image is not None

        found, waiting = set(), [digest]
        while waiting:
            each = ImageReference(holding.repository, digest=waiting.pop())
            contents = await holding.registry.contents(each)
            assert contents is not None
            found |= {contents.digest, *([contents.config] if contents.config else [])}
            waiting += contents.children

        assert image.accepted <= found
        assert await holding.registry.contents(holding.named("main")) is None
        assert await holding.registry.referrers(holding.repository, digest) == frozenset()

    async def test_the_digest_under_a_name_is_that_of_what_is_there(self, holding: Holding) -> None:
        digest = await holding.put(COMMIT, LABELS)
        ask, by_digest = holding.registry.digest, ImageReference(holding.repository, digest=digest)

        assert await ask(holding.named(COMMIT)) == await ask(by_digest) == digest
        assert await ask(holding.named("main")) is None

        await holding.delete(digest)

        assert await ask(holding.named(COMMIT)) is None
        assert await ask(by_digest) is None

    async def test_a_configuration_is_no_manifest_that_anything_could_belong_to(
        self, holding: Holding
    ) -> None:
        """Runtimes name an image by it (kubernetes/kubernetes#115199)."""
        await holding.put(COMMIT, LABELS)
        image = await holding.registry.find(holding.named(COMMIT))
        assert image is not None

        every = [ImageReference(holding.repository, digest=each) for each in image.accepted]
        read = [await holding.registry.contents(each) for each in every]

        [config] = {each.config for each in read if each is not None and each.config is not None}
        manifests = {each.digest for each in read if each is not None}
        assert image.accepted - manifests == {config}

    async def test_what_is_removed_is_gone_with_every_tag_of_it(self, holding: Holding) -> None:
        digest = await holding.put(COMMIT, LABELS)
        image = await holding.registry.find(holding.named(COMMIT))
        assert image is not None
        await holding.registry.tag(image, "main")
        other = await holding.put("2" * 40, {"of": "another"})

        for _ in ("once", "and again, when it is gone already"):
            await holding.registry.remove(holding.repository, digest)

        assert await holding.registry.find(holding.named(COMMIT)) is None
        assert await holding.registry.find(holding.named("main")) is None
        there = await holding.registry.find(holding.named("2" * 40))
        assert there is not None
        assert there.digest == other

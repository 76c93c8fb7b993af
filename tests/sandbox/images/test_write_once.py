"""A commit's tag is published once: a real repository, a real engine, a real registry."""

import itertools
from dataclasses import replace

import pytest

from sandbox import repository
from sandbox.example_images import publish_by_hand
from sandbox.token_issuer.accounts import PUBLISHER
from slipway.clients.docker import DockerBuilder
from slipway.clients.git import GitMirror
from slipway.clients.registry import OciRegistry
from slipway.domain.commit import Commit
from slipway.domain.image import ImageReference, PublishedImage
from slipway.errors import BuildFailed, TagConflict
from slipway.ports import Ports
from slipway.tasks import publishing
from slipway.tasks.record import open_record
from tests.fakes.world import World, deploy_request
from tests.sandbox.images.conftest import ImageSide
from tests.sandbox.witness import copy_in_registry, digest_in_registry

pytestmark = pytest.mark.sandbox

_numbers = itertools.count()


@pytest.fixture
def ports(
    images: ImageSide, mirror: GitMirror, builder: DockerBuilder, registry: OciRegistry
) -> Ports:
    """The adapter's ports with the image side real, in an image repository of the test's own."""
    ports = World().ports()
    service = replace(images.service(f"once-{next(_numbers)}"), source="https://example.invalid")
    target = replace(ports.target, service=service)
    return replace(ports, target=target, source=mirror, builder=builder, registry=registry)


async def publish(ports: Ports, commit: Commit, *, adopt: bool = False) -> PublishedImage:
    """Publish as a deploy does, for a release of its own."""
    record = await open_record(ports, deploy_request(commit.sha))
    return await publishing.publish(ports, record, commit, adopt=adopt)


def without_builder(ports: Ports, images: ImageSide) -> Ports:
    """The same ports, whose engine is gone: whoever builds or pushes fails."""
    nowhere = f"unix://{images.box.root}/nobody-listens.sock"
    return replace(ports, builder=DockerBuilder(ports.registry, None, nowhere))


def copy(images: ImageSide, source: ImageReference, to: ImageReference) -> None:
    """Overwrite a tag behind Slipway's back."""
    copy_in_registry(images.box, str(source), str(to))


def at(ports: Ports, commit: Commit) -> ImageReference:
    return ImageReference(ports.target.service.repository, commit.sha)


async def test_the_second_time_nothing_is_built_or_pushed(
    images: ImageSide, history: dict[str, str], ports: Ports
) -> None:
    commit = Commit(history["second"])
    first = await publish(ports, commit)

    assert await publish(without_builder(ports, images), commit) == first


async def test_a_tag_with_another_commits_label_is_refused_and_stays(
    images: ImageSide, history: dict[str, str], ports: Ports, registry: OciRegistry
) -> None:
    other, commit = Commit(history["second"]), Commit(history["fourth"])
    theirs = await publish(ports, other)
    copy(images, at(ports, other), at(ports, commit))

    with pytest.raises(TagConflict, match="never overwritten"):
        await publish(ports, commit)

    assert await registry.digest(at(ports, commit)) == theirs.digest


async def test_a_tag_of_a_commit_with_the_same_build_inputs_is_reused(
    images: ImageSide, history: dict[str, str], ports: Ports
) -> None:
    third, docs = Commit(history["third"]), Commit(history["docs_only"])
    image = await publish(ports, third)
    copy(images, at(ports, third), at(ports, docs))

    assert await publish(without_builder(ports, images), docs) == image


async def test_what_was_pushed_by_hand_is_taken_only_when_asked_to(
    images: ImageSide, history: dict[str, str], ports: Ports
) -> None:
    commit = Commit(history["first"])
    by_hand = publish_by_hand(
        images.engine,
        images.host,
        images.account(PUBLISHER),
        repository.path(images.box),
        commit.sha,
    )
    copy(images, ImageReference.parse(by_hand["adapter"]), at(ports, commit))

    with pytest.raises(TagConflict, match="--adopt-image"):
        await publish(ports, commit)

    assert (await publish(ports, commit, adopt=True)).revision is None


async def test_a_tag_that_was_overwritten_since_is_refused(
    images: ImageSide, history: dict[str, str], ports: Ports
) -> None:
    commit, other = Commit(history["second"]), Commit(history["third"])
    ours = await publish(ports, commit)
    await publish(ports, other)
    copy(images, at(ports, other), at(ports, commit))

    with pytest.raises(TagConflict, match=str(ours.digest)):
        await publish(ports, commit)


async def test_a_build_that_fails_leaves_nothing_behind(
    history: dict[str, str], ports: Ports, registry: OciRegistry
) -> None:
    commit = Commit(history["does_not_compile"])

    with pytest.raises(BuildFailed):
        await publish(ports, commit)

    assert await registry.tags(ports.target.service.repository) == []
    assert await ports.ledger.published(at(ports, commit)) is None


async def test_main_moves_to_the_very_image_and_nothing_is_pushed_for_it(
    images: ImageSide, history: dict[str, str], ports: Ports, registry: OciRegistry
) -> None:
    image = await publish(ports, Commit(history["second"]))

    await registry.tag(image, "main")

    main = f"{ports.target.service.repository}:main"
    assert digest_in_registry(images.box, main) == str(image.digest)

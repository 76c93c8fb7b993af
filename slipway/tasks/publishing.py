"""Publish: build and push an image under its commit's tag, once and never over another one."""

import logging

from slipway.domain.commit import Commit
from slipway.domain.image import Digest, ImageReference, PublishedImage
from slipway.domain.journal import intent, observed
from slipway.domain.publication import (
    BUILD_INPUTS_LABEL,
    REVISION_LABEL,
    SOURCE_LABEL,
    Origin,
    origin,
    require_as_recorded,
    require_deployable,
)
from slipway.errors import PushFailed
from slipway.ports import Ports
from slipway.tasks.policies import repeatable
from slipway.tasks.preflight import check_publishing, require
from slipway.tasks.record import Record

log = logging.getLogger(__name__)

MAIN = "main"
"""The tag that follows what is live."""


async def publish(
    ports: Ports, record: Record, commit: Commit, *, adopt: bool = False
) -> PublishedImage:
    """The commit's image: there already, or made by equal inputs, or else built and pushed."""
    image = await find_published(ports, commit, adopt=adopt)
    if image is None:
        image = await share_main(ports, record, commit)
    if image is None:
        await require_publishable(ports)
        inputs = await ports.source.build_inputs(commit, ports.target.service)
        image_id = await build(ports, commit, inputs)
        image = await push(ports, record, commit, image_id)
    reference = ImageReference(image.repository, commit.sha)
    await ports.ledger.record_published(reference, image.digest)
    return image


@repeatable("look for the image")
async def find_published(ports: Ports, commit: Commit, *, adopt: bool) -> PublishedImage | None:
    """The image under the commit's tag if it may be reused, None if there is none."""
    reference = ImageReference(ports.target.service.repository, commit.sha)
    image = await ports.registry.find(reference)
    if image is None:
        return None
    require_as_recorded(image, commit, await ports.ledger.published(reference))
    found = await find_origin(ports, image, commit)
    require_deployable(image, commit, found, adopt=adopt)
    log.info("image %s is published already: %s, %s", reference, image.digest, found)
    return image


async def find_origin(ports: Ports, image: PublishedImage, commit: Commit) -> Origin:
    """Where the image under the commit's tag comes from; `TagConflict` if from another commit."""
    return origin(image, commit, same_inputs=await _has_same_inputs(ports, image, commit))


async def _has_same_inputs(ports: Ports, image: PublishedImage, commit: Commit) -> bool:
    """Whether git gives the commit of the image's label the same build inputs."""
    source, labelled = ports.source, image.labelled
    if labelled is None or not await source.is_ancestor(labelled, labelled):
        return False
    theirs = await source.build_inputs(labelled, ports.target.service)
    return theirs == await source.build_inputs(commit, ports.target.service)


def note_alias(image: PublishedImage, commit: Commit) -> tuple[str, ...]:
    """What to note of an image that another commit with the same build inputs was built into."""
    if image.labelled is None or image.labelled == commit:
        return ()
    note = (
        f"{image.repository}:{commit} is the image of {image.labelled}, whose build inputs are the "
        f"same ({image.digest})"
    )
    return (note,)


@repeatable("look whether an image can be published")
async def require_publishable(ports: Ports) -> None:
    """Refuse before the minutes that a build may take what its push would be refused for."""
    require(await check_publishing(ports))


@repeatable("look for an image of the same inputs")
async def share_main(ports: Ports, record: Record, commit: Commit) -> PublishedImage | None:
    """Give `:main` the commit's tag too if it was built from equal inputs; None if it was not."""
    main = await ports.registry.find(ImageReference(ports.target.service.repository, MAIN))
    if main is None or not await _has_same_inputs(ports, main, commit):
        return None
    reference = ImageReference(main.repository, commit.sha)
    if (there := await ports.registry.find(reference)) is not None:
        require_deployable(there, commit, await find_origin(ports, there, commit), adopt=False)
        return there
    await record.journal(intent("tag", reference=str(reference), digest=str(main.digest)))
    async with record.observing("tag"):
        await ports.registry.tag(main, commit.sha)
    await record.journal(observed("tag", digest=str(main.digest)))
    log.info("image %s is that of %s, built from equal inputs", reference, main.labelled)
    return main


@repeatable("build the image")
async def build(ports: Ports, commit: Commit, build_inputs: str) -> str:
    """Build from a fresh checkout of the commit; the local image id."""
    service = ports.target.service
    labels = {REVISION_LABEL: commit.sha, BUILD_INPUTS_LABEL: build_inputs}
    if service.source:
        labels[SOURCE_LABEL] = service.source
    async with ports.source.checkout(commit) as tree:
        image_id = await ports.builder.build(tree, service, labels)
    log.info("built %s at %s: %s", service.name, commit.short, image_id)
    return image_id


@repeatable("push the image")
async def push(ports: Ports, record: Record, commit: Commit, image_id: str) -> PublishedImage:
    """Push under the commit's tag unless it has appeared meanwhile, and read back what is there."""
    reference = ImageReference(ports.target.service.repository, commit.sha)
    if (there := await ports.registry.find(reference)) is not None:
        # An earlier try may have got through although its answer was lost.
        require_deployable(there, commit, await find_origin(ports, there, commit), adopt=False)
        return there
    await record.journal(intent("push", reference=str(reference), image=image_id))
    async with record.observing("push"):
        digest = await ports.builder.push(image_id, reference)
        image = await _read_back(ports, reference, digest)
    await record.journal(observed("push", digest=str(digest)))
    log.info("pushed %s: %s", reference, image.digest)
    return image


async def _read_back(ports: Ports, reference: ImageReference, pushed: Digest) -> PublishedImage:
    image = await ports.registry.find(reference)
    if image is None or image.digest != pushed:
        seen = image.digest if image else "nothing"
        raise PushFailed(
            f"{reference} was pushed as {pushed}, but the registry holds {seen} there: look for "
            "another publisher of this tag, then start a new run"
        )
    return image

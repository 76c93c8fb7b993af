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
    agrees_with_inputs,
    origin,
    require_as_recorded,
    require_deployable,
    require_ours_to_build,
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
    """The commit's image: there already, or made by equal inputs, or else built and pushed.

    Where a workflow of somebody else's builds, nothing is built here.
    """
    image = await find_published(ports, commit, adopt=adopt)
    if image is None:
        image = await share_equal(ports, record, commit)
    if image is None:
        require_ours_to_build(ports.target, commit)
        await require_publishable(ports)
        inputs = await ports.source.build_inputs(commit, ports.target.service)
        image_id = await build(ports, commit, inputs)
        image = await push(ports, record, commit, image_id)
    await record_published(ports, image, commit)
    return image


async def record_published(ports: Ports, image: PublishedImage, commit: Commit) -> None:
    """Record the image under the commit's tag, and what it was built from if its label tells."""
    reference = ImageReference(image.repository, commit.sha)
    inputs = await ports.source.build_inputs(commit, ports.target.service)
    known = image.labelled is not None and agrees_with_inputs(image, inputs)
    await ports.ledger.record_published(reference, image.digest, inputs if known else None)


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
    return origin(image, commit, same_inputs=await has_same_inputs(ports, image, commit))


async def has_same_inputs(ports: Ports, image: PublishedImage, commit: Commit) -> bool:
    """Whether git gives the commit of the image's label the same build inputs."""
    return image.labelled is not None and await are_same_inputs(ports, image.labelled, commit)


async def are_same_inputs(ports: Ports, one: Commit, other: Commit) -> bool:
    """Whether git knows both commits, and what a build can see is the same at both."""
    source, service = ports.source, ports.target.service
    if not await source.is_ancestor(one, one) or not await source.has_folder(one, service.folder):
        return False
    return await source.build_inputs(one, service) == await source.build_inputs(other, service)


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
async def share_equal(ports: Ports, record: Record, commit: Commit) -> PublishedImage | None:
    """Give an image that was built from equal inputs the commit's tag too; None if none was."""
    equal = await _find_equal(ports, commit)
    if equal is None:
        return None
    reference = ImageReference(equal.repository, commit.sha)
    if (there := await ports.registry.find(reference)) is not None:
        require_deployable(there, commit, await find_origin(ports, there, commit), adopt=False)
        return there
    await record.journal(intent("tag", reference=str(reference), digest=str(equal.digest)))
    async with record.observing("tag"):
        await ports.registry.tag(equal, commit.sha)
    await record.journal(observed("tag", digest=str(equal.digest)))
    log.info("image %s is that of %s, built from equal inputs", reference, equal.labelled)
    return equal


async def _find_equal(ports: Ports, commit: Commit) -> PublishedImage | None:
    """What the ledger knows to be built from equal inputs and the registry still has, or `:main`.

    What `:main` names may be from before the ledger, or from before it recorded what images were
    built from. Where equal inputs were built twice it goes first: it runs, so that nothing has to
    be rolled out. The ledger's word is not enough: a label that names other inputs shares nothing.
    """
    repository = ports.target.service.repository
    inputs = await ports.source.build_inputs(commit, ports.target.service)
    recorded = await ports.ledger.published_from(repository, inputs)
    names = [ImageReference(repository, None, each) for each in recorded]
    main = ImageReference(repository, MAIN)
    for each in [main, *names] if len(names) > 1 else [*names, main]:
        image = await ports.registry.find(each)
        if image is None or not agrees_with_inputs(image, inputs):
            continue
        if await has_same_inputs(ports, image, commit):
            return image
    return None


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

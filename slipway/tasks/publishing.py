"""Publish: build and push an image under its commit's tag, once and never over another one."""

import logging

from slipway.domain.commit import Commit
from slipway.domain.image import Digest, ImageReference, PublishedImage
from slipway.domain.publication import (
    BUILD_INPUTS_LABEL,
    REVISION_LABEL,
    SOURCE_LABEL,
    require_as_recorded,
    require_deployable,
)
from slipway.errors import PushFailed
from slipway.ports import Ports
from slipway.tasks.policies import repeatable

log = logging.getLogger(__name__)


async def publish(ports: Ports, commit: Commit, *, adopt: bool = False) -> PublishedImage:
    """The commit's image in the registry: what is there already, else built and pushed."""
    inputs = await ports.source.build_inputs(commit, ports.target.service)
    image = await find_published(ports, commit, inputs, adopt=adopt)
    if image is None:
        image_id = await build(ports, commit, inputs)
        image = await push(ports, commit, inputs, image_id)
    reference = ImageReference(image.repository, commit.sha)
    await ports.ledger.record_published(reference, image.digest)
    return image


@repeatable("look for the image")
async def find_published(
    ports: Ports, commit: Commit, build_inputs: str, *, adopt: bool
) -> PublishedImage | None:
    """The image under the commit's tag if it may be reused, None if there is none."""
    reference = ImageReference(ports.target.service.repository, commit.sha)
    image = await ports.registry.find(reference)
    if image is None:
        return None
    require_as_recorded(image, commit, await ports.ledger.published(reference))
    found = require_deployable(image, commit, build_inputs, adopt=adopt)
    log.info("image %s is published already: %s, %s", reference, image.digest, found)
    return image


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
async def push(ports: Ports, commit: Commit, build_inputs: str, image_id: str) -> PublishedImage:
    """Push under the commit's tag unless it has appeared meanwhile, and read back what is there."""
    reference = ImageReference(ports.target.service.repository, commit.sha)
    if (there := await ports.registry.find(reference)) is not None:
        # An earlier try may have got through although its answer was lost.
        require_deployable(there, commit, build_inputs, adopt=False)
        return there
    digest = await ports.builder.push(image_id, reference)
    image = await _read_back(ports, reference, digest)
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

"""Whether an image that stands under a commit's tag may be used as that commit's image."""

from enum import StrEnum
from typing import TypeGuard

from slipway.domain.commit import Commit
from slipway.domain.image import Digest, PublishedImage
from slipway.domain.target import Target
from slipway.errors import ImageMissing, PlatformMissing, TagConflict

REVISION_LABEL = "org.opencontainers.image.revision"
SOURCE_LABEL = "org.opencontainers.image.source"
BUILD_INPUTS_LABEL = "dev.slipway.build-inputs"


class Origin(StrEnum):
    """Where an image under a commit's tag comes from."""

    OURS = "built from this commit"
    SAME_INPUTS = "built from the same inputs at another commit"
    FOREIGN = "without a revision label"


def origin(image: PublishedImage, commit: Commit, *, same_inputs: bool) -> Origin:
    """Where the image comes from; `TagConflict` when its revision label names another commit.

    `same_inputs` is git's word that the commit of the label has the same build inputs. The image's
    own label of its build inputs proves nothing: whoever pushed it may write there what he likes.
    """
    if image.revision == commit.sha:
        return Origin.OURS
    if image.revision is None:
        return Origin.FOREIGN
    if same_inputs:
        return Origin.SAME_INPUTS
    raise TagConflict(
        f"{image.repository}:{commit} holds {image.digest}, whose revision label names "
        f"{image.revision}: a commit's tag is never overwritten; find out who pushed it, and "
        "deploy a new commit"
    )


def agrees_with_inputs(image: PublishedImage, inputs: str) -> bool:
    """Whether the image does not say itself that it was built from something else.

    Git gives a commit's inputs by today's build arguments and platform, the label by those of then.
    """
    return image.build_inputs in {None, inputs}


def require_deployable(
    image: PublishedImage, commit: Commit, found: Origin, *, adopt: bool
) -> None:
    """Refuse an existing image that a deploy may not reuse.

    A bare index first: its labels went with its platforms, which makes it nobody's.
    """
    require_whole(image)
    if found is Origin.FOREIGN and not adopt:
        raise TagConflict(
            f"{image.repository}:{commit} holds {image.digest}, which was not built by Slipway (no "
            f"{REVISION_LABEL} label): deploy it with --adopt-image if you know what it is"
        )


def require_ours_to_build(target: Target, commit: Commit) -> None:
    """Refuse to build what a workflow builds: two builders of a tag would race for it."""
    if target.workflow:
        raise ImageMissing(
            f"{target.service.repository}:{commit} is not there, and the workflow "
            f"{target.workflow} builds it, not Slipway: see at GitHub whether its run for this "
            "commit has pushed the image, and start a new run then"
        )


def require_as_recorded(image: PublishedImage, commit: Commit, recorded: Digest | None) -> None:
    """Refuse a tag that points elsewhere than when it was published."""
    if recorded is not None and image.digest != recorded:
        raise TagConflict(
            f"{image.repository}:{commit} holds {image.digest}, but was published as {recorded}: "
            "somebody has overwritten the tag; deploy a new commit, and find out who pushed it"
        )


def is_whole(image: PublishedImage | None) -> TypeGuard[PublishedImage]:
    """Whether it is there, and any platform of it: cleaners of untagged ones leave a bare index.

    Where some are left, it is `require_platforms` that says whether a node lacks one.
    """
    return image is not None and (bool(image.platforms) or not image.missing)


def require_whole(image: PublishedImage) -> None:
    """Refuse an image that no node can pull any more."""
    if not is_whole(image):
        raise ImageMissing(
            f"{image.repository}@{image.digest} is an index whose {min(image.missing)} is gone "
            "from the registry, so that no node can pull it: push the same image again, or choose "
            "another commit"
        )


def require_platforms(image: PublishedImage, nodes: frozenset[str]) -> None:
    """Refuse an image that some node could not run; an image that names no platform is let pass."""
    missing = sorted(nodes - image.platforms)
    if image.platforms and missing:
        raise PlatformMissing(
            f"{image.repository}@{image.digest} is for {', '.join(sorted(image.platforms))}, but "
            f"nodes that its pods may come to are {', '.join(missing)}: build it for them "
            "(`platform` of the service), or let the program's nodeSelector keep its pods off them"
        )

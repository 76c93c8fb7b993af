"""Which of a target's ways back a rollback could take now, by the rollback's own decision."""

from dataclasses import dataclass

from slipway.domain.acceptance import Published, Surroundings, acceptable
from slipway.domain.agreement import Unknown
from slipway.domain.auditing.picture import NotKnown, Picture, known
from slipway.domain.commit import Commit
from slipway.domain.image import ImageReference, PublishedImage
from slipway.domain.publication import is_whole
from slipway.domain.scheduling import platforms_of
from slipway.errors import ImageMissing, PermanentError, PlatformMissing

WAYS_BACK = 1
"""How many ways back must be left; a target that has had fewer needs no more than it has had."""


def why_no_way(
    target: str, way: ImageReference, image: PublishedImage | None, nodes: frozenset[str]
) -> str:
    """Why a rollback could not take a way back; empty when it could.

    A part that is gone counts where the image tells of no platform: else that is what it lacks.
    """
    if way.commit is None:
        return "its tag names no commit"
    if image is not None and not is_whole(image):
        return f"its part {min(image.missing)} is gone from the registry"
    found = Published(way.repository, way.commit, way.digest, image)
    try:
        acceptable(found, Surroundings(target, None, nodes))
    except ImageMissing:
        return "it is not in the registry"
    except PlatformMissing as error:
        return str(error).partition(": ")[0]
    except PermanentError as error:
        return str(error)
    return ""


def ways_left(picture: Picture) -> tuple[int, list[str]]:
    """How many ways back are left, up to as many as must be, and why others are none.

    What a node lacks of the image that runs too is no trouble of the ways back: nothing fits there.
    """
    held, nodes = known(picture.registry), _fitted(picture)
    good, lost = 0, []
    for way in known(picture.ledger).ways_back:
        if good >= WAYS_BACK:
            break
        why = why_no_way(picture.target.name, way, held.image(str(way)), nodes)
        if why:
            lost.append(f"{way}: {why}")
        else:
            good += 1
    return good, lost


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where a rollback can go, on every node."""

    commit: Commit
    is_default: bool
    """False where a rollback to `previous` would take another one first, and be refused."""


def find_way_back(picture: Picture) -> WayBack | Unknown | None:
    """The best way back that a rollback could take; None where none is left.

    Other than for `ways_left`, an image that some node can't run leads nowhere.
    """
    try:
        held, nodes = known(picture.registry), platforms_of(known(picture.nodes))
        is_default = True
        for way in known(picture.ledger).ways_back:
            image = held.image(str(way))
            if way.commit and not why_no_way(picture.target.name, way, image, nodes):
                return WayBack(way.commit, is_default)
            is_default = is_default and not (is_whole(image) and way.commit)
    except NotKnown as error:
        return Unknown(str(error))
    return None


def _fitted(picture: Picture) -> frozenset[str]:
    """Platforms of nodes that the image which runs is for; all of them where it does not tell."""
    nodes, seen = platforms_of(known(picture.nodes)), known(picture.cluster)
    image = known(picture.registry).images.get(seen.image) if seen is not None else None
    if image is None or not image.platforms:
        return nodes
    return nodes & image.platforms

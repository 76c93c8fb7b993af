"""Which images a picture names, who names them, and whose they are."""

from slipway.domain.auditing.picture import Picture, known, reference_of
from slipway.domain.commit import Commit
from slipway.domain.image import ImageReference, PublishedImage


def named_images(picture: Picture) -> dict[str, str]:
    """Image references that are pinned or asked for → who names them."""
    named: dict[str, str] = {}
    value = known(picture.config).value
    seen = known(picture.cluster)
    if seen is not None and seen.image:
        named[seen.image] = "the Deployment asks for"
    if value and value not in named:
        named[value] = "ESC names"
    return named


def own_images(picture: Picture) -> dict[str, str]:
    """Those of them that are in the target's own repository: only they are looked up."""
    repository = picture.target.service.repository
    found = {each: reference_of(each) for each in named_images(picture)}
    return {
        each: who
        for each, who in named_images(picture).items()
        if (reference := found[each]) is not None and reference.repository == repository
    }


def moves(reference: ImageReference) -> bool:
    """Whether the name may be another image tomorrow: neither a digest nor a commit's tag."""
    return reference.digest is None and reference.commit is None


def is_anothers(picture: Picture, commit: Commit, image: PublishedImage) -> bool:
    """Whether the label of the image under a commit's tag names another commit, of other inputs."""
    label = image.labelled
    if label in {None, commit}:
        return False
    return (commit, label) not in known(picture.git).same_inputs


def is_overwritten(picture: Picture, reference: ImageReference, image: PublishedImage) -> bool:
    """Whether a tag, by which an image is named, holds another than was published under it."""
    if reference.digest is not None or reference.tag is None:
        return False
    recorded = known(picture.ledger).published.get(reference.tag)
    return recorded is not None and recorded != image.digest

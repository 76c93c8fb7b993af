"""Which images a picture names, and who names them."""

from slipway.domain.auditing.picture import Picture, known, reference_of


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

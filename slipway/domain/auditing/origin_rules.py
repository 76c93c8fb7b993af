"""Rules about where an image comes from: which commit, which repository, signed by whom."""

from collections.abc import Iterator

from slipway.domain.auditing import remedies
from slipway.domain.auditing.named import named_images, own_images
from slipway.domain.auditing.picture import Picture, known
from slipway.domain.commit import Commit
from slipway.domain.finding import Finding, Remedy, Severity
from slipway.domain.image import ImageReference
from slipway.domain.signature import vouches

Findings = Iterator[Finding]


def mislabelled(picture: Picture) -> Findings:
    """IMG009: the tag says one commit, and the image's label another."""
    held = known(picture.registry)
    for reference in own_images(picture):
        image, commit = held.image(reference), ImageReference.parse(reference).commit
        if image is None or commit is None or image.labelled in {None, commit}:
            continue
        if (commit, image.labelled) in known(picture.git).same_inputs:
            continue
        yield Finding(
            "IMG009",
            Severity.ERROR,
            picture.target.name,
            reference,
            f"an image built from {commit}, or from equal inputs",
            f"its revision label names {image.revision}",
            _leave(picture, commit, "find out who pushed it, and {} whose image is its own"),
        )


def from_elsewhere(picture: Picture) -> Findings:
    """IMG009 too: the image says that it was built from another repository."""
    held, ours = known(picture.registry), picture.target.service.source
    for reference in own_images(picture):
        image = held.image(reference)
        if image is None or not ours or image.source in {None, ours}:
            continue
        yield Finding(
            "IMG009",
            Severity.WARNING,
            picture.target.name,
            f"source of {reference}",
            ours,
            f"its source label names {image.source}",
            _leave(
                picture,
                ImageReference.parse(reference).commit,
                "{} of the repository that the target names",
            ),
        )


def unsigned(picture: Picture) -> Findings:
    """IMG014: the target has a key, and its owner does not vouch for the image."""
    key = picture.target.service.signed_by
    if not key:
        return
    held = known(picture.registry)
    for reference in own_images(picture):
        image = held.image(reference)
        if image is None:
            continue  # gone: another rule says so
        signed = held.signed(reference)
        if any(vouches(key, each, image.digest) for each in signed):
            continue
        yield Finding(
            "IMG014",
            Severity.ERROR if signed else Severity.WARNING,
            picture.target.name,
            f"signature of {reference}",
            "signed with the target's key",
            f"{len(signed)} signatures, none of them by this key" if signed else "no signature",
            remedies.sign(
                image.repository, image.digest, "find out who built and pushed it, then sign it"
            ),
        )


def foreign_registry(picture: Picture) -> Findings:
    """IMG015: an image that is not from the target's own repository."""
    allowed = picture.target.service.repository
    for reference, who in named_images(picture).items():
        if reference in own_images(picture):
            continue
        yield Finding(
            "IMG015",
            Severity.ERROR,
            picture.target.name,
            reference,
            f"an image of {allowed}",
            f"{who} {reference}",
            remedies.deploy(
                picture.target,
                known(picture.git).head.commit,
                "deploy a commit, which names the target's own repository",
            ),
        )


def _leave(picture: Picture, commit: Commit | None, sentence: str) -> Remedy:
    """Run another commit's image; the newest's, unless it is the newest whose image is wrong."""
    head = known(picture.git).head.commit
    if commit != head:
        return remedies.deploy(picture.target, head, sentence.format("deploy a commit"))
    return remedies.roll_back(
        picture.target,
        f"the image of {head.short} is another commit's",
        sentence.format("go back to a commit"),
    )

"""Rules about where an image comes from: which commit, which repository, signed by whom."""

from collections.abc import Iterator

from slipway.domain.auditing import remedies
from slipway.domain.auditing.named import is_anothers, moves, named_images, own_images
from slipway.domain.auditing.picture import Picture, known
from slipway.domain.commit import Commit
from slipway.domain.finding import Finding, Remedy, Severity
from slipway.domain.image import ImageReference, PublishedImage
from slipway.domain.measures import UNCHANGED
from slipway.domain.publication import REVISION_LABEL
from slipway.domain.release import Kind, Release, code_of
from slipway.domain.signature import vouches

Findings = Iterator[Finding]


def mislabelled(picture: Picture) -> Findings:
    """IMG009: the tag says one commit, and the image's label another."""
    held = known(picture.registry)
    for reference in own_images(picture):
        image, commit = held.image(reference), ImageReference.parse(reference).commit
        if image is None or commit is None or not is_anothers(picture, commit, image):
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


def unlabelled(picture: Picture) -> Findings:
    """IMG009 too: no label says from which commit the image was built, and nobody has adopted it.

    What stands under a tag that moves is another rule's.
    """
    held = known(picture.registry)
    for reference in own_images(picture):
        image, named = held.image(reference), ImageReference.parse(reference)
        if image is None or image.labelled is not None or moves(named):
            continue
        if image.missing and image.revision is None:
            continue  # what is gone may have had it: another rule says what is gone
        if any(_adopts(each, image) for each in known(picture.ledger).history):
            continue
        said = f"names {image.revision}" if image.revision else "is not there"
        yield Finding(
            "IMG009",
            Severity.WARNING,
            picture.target.name,
            f"revision label of {reference}",
            f"the label {REVISION_LABEL} names the commit that it was built from",
            f"the label {said}, and no release has adopted the image as it is",
            _label(picture, named.commit),
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
            remedies.deploy_newest(
                picture, "deploy a commit, which names the target's own repository"
            ),
        )


def _leave(picture: Picture, commit: Commit | None, sentence: str) -> Remedy:
    """Run another commit's image; the newest's, unless it is the newest whose image is wrong."""
    newest = remedies.newest_commit(picture)
    if newest not in {None, commit}:
        return remedies.deploy(picture, newest, sentence.format("deploy a commit"))
    return remedies.roll_back(
        picture,
        f"the image of {commit.short if commit else 'what runs'} is not its own",
        sentence.format("go back to a commit"),
    )


def _adopts(release: Release, image: PublishedImage) -> bool:
    """Whether a release took the image as it was: at first contact, or as a person allowed it."""
    if release.digest is None or not (
        release.kind is Kind.ADOPTED or release.request.options.adopt_image
    ):
        return False
    ended_well = release.live_since is not None or code_of(release.reason) == UNCHANGED
    return ended_well and (release.digest in image.accepted or image.digest in release.accepted)


def _label(picture: Picture, commit: Commit | None) -> Remedy:
    """Have it built by Slipway, which labels it; else a person takes it as it is."""
    newest = remedies.newest_commit(picture)
    if commit is None or (newest not in {None, commit} and not picture.target.workflow):
        return remedies.deploy(
            picture, newest, "deploy the newest commit, whose image is built with its label"
        )
    return remedies.deploy(
        picture,
        commit,
        "let whoever builds it label it; until then, knowing what it is, adopt it",
        "--adopt-image",
    )

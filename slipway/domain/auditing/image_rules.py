"""Rules about images: are they there, do their names stay what they are, are they needed."""

from collections.abc import Iterator

from slipway.domain.agreement import Unknown
from slipway.domain.auditing import remedies
from slipway.domain.auditing.named import moves, own_images
from slipway.domain.auditing.picture import Moving, Picture, known, reference_of
from slipway.domain.candidate import newest_deploy
from slipway.domain.finding import Finding, Remedy, Severity
from slipway.domain.image import Digest, ImageReference

MAIN = "main"
"""The tag that follows what is live."""
Findings = Iterator[Finding]


def missing(picture: Picture) -> Findings:
    """IMG001: an image that is pinned, or asked for, is not in the registry."""
    held = known(picture.registry)
    for reference, who in own_images(picture).items():
        if held.image(reference) is None:
            yield Finding(
                "IMG001",
                Severity.CRITICAL,
                picture.target.name,
                reference,
                "the registry holds the image that is named",
                f"{who} {reference}, which the registry does not have: no new pod could start",
                remedies.instead_of_missing(picture, reference),
            )


def unreachable(picture: Picture) -> Findings:
    """IMG002: the registry could not be asked; nothing is said about what it holds."""
    if isinstance(picture.registry, Unknown) and not isinstance(picture.registry, Moving):
        yield Finding(
            "IMG002",
            Severity.ERROR,
            picture.target.name,
            picture.target.service.repository,
            "the registry answers",
            picture.registry.why,
            remedies.mend_and_look(picture, picture.registry),
        )


def overwritten(picture: Picture) -> Findings:
    """IMG004: a commit's tag holds another image than was published under it."""
    held, published = known(picture.registry), known(picture.ledger).published
    for tag, digest in held.tags.items():
        recorded = published.get(tag)
        if digest is None or recorded is None or digest == recorded:
            continue
        repository = picture.target.service.repository
        yield Finding(
            "IMG004",
            Severity.CRITICAL,
            picture.target.name,
            f"{repository}:{tag}",
            f"{recorded}, as it was published",
            f"{digest}: somebody has overwritten the tag",
            _point_back(picture, tag, recorded),
        )


def _point_back(picture: Picture, tag: str, recorded: Digest) -> Remedy:
    """By the image that was published, while there is one."""
    repository = picture.target.service.repository
    published = str(ImageReference(repository, digest=recorded))
    if known(picture.registry).images.get(published, recorded) is None:
        return remedies.go_on(
            picture, "find out who pushed it; what was published is gone, so deploy a newer commit"
        )
    sentence = "find out who pushed it, and point the tag back"
    return remedies.retag(repository, tag, recorded, sentence)


def main_astray(picture: Picture) -> Findings:
    """IMG005: `:main` is neither the image of the newest live deploy nor of a newer commit."""
    if not picture.target.moves_main:
        return
    held, history = known(picture.registry), known(picture.ledger).history
    newest = newest_deploy(history)
    if newest is None or newest.digest is None or MAIN not in held.tags:
        return
    if held.image(newest.image) is None:
        return  # gone: nothing can be pointed at it
    main = held.tags[MAIN]
    if main is not None and (main == newest.digest or known(picture.git).main_is_newer):
        return
    repository = picture.target.service.repository
    yield Finding(
        "IMG005",
        Severity.WARNING,
        picture.target.name,
        f"{repository}:{MAIN}",
        f"{newest.digest}, the newest deploy that went live ({newest.commit})",
        str(main) if main else "no such tag",
        remedies.retag(repository, MAIN, newest.digest, "point it at what was deployed last"),
    )


def mutable(picture: Picture) -> Findings:
    """IMG008: the pod template names an image by something that may move, or never pulls it."""
    seen = known(picture.cluster)
    if seen is None or not seen.image:
        return
    reference = reference_of(seen.image)
    if reference is not None and moves(reference):
        named = f"tag {reference.tag}" if reference.tag else "no tag, which means latest"
        if seen.pull_policy == "IfNotPresent":
            named += (
                ", and imagePullPolicy IfNotPresent: a node that has a copy runs it, wherever the "
                "tag has moved since"
            )
        yield _template(
            picture,
            seen.image,
            "a commit's tag, with its digest",
            named,
            remedies.deploy(
                picture,
                remedies.commit_to_run(picture),
                "deploy it by its commit, which pins the digest",
            ),
        )
    if seen.pull_policy == "Never":
        yield _template(
            picture,
            "imagePullPolicy",
            "IfNotPresent",
            "imagePullPolicy Never: a node that has no copy runs nothing",
            remedies.pull_policy(picture.target, seen),
        )


def needless(picture: Picture) -> Findings:
    """IMG016: images that nobody needs any more, by the plan that pruning makes."""
    plan = known(picture.prunable)
    # What only the registry keeps is nothing that anybody could mend here.
    if plan is None or all(each.refused for each in plan.deletions):
        return
    count = len(plan.deletions) + plan.left_for_later
    yield Finding(
        "IMG016",
        Severity.INFO,
        picture.target.name,
        plan.repository,
        "every image is young, or somebody may need it",
        f"{count} images are neither; the oldest {len(plan.deletions)} hold about "
        f"{plan.bytes // 2**20} MiB",
        Remedy(
            "see them by the command without --apply; with it, exactly they are deleted",
            f"slipway prune {plan.repository} --apply {plan.hash}",
        ),
    )


def _template(picture: Picture, about: str, expected: str, seen: str, remedy: Remedy) -> Finding:
    name = picture.target.name
    return Finding("IMG008", Severity.WARNING, name, about, expected, seen, remedy)

"""Rules about images: are they there, are they what their names say, can they be pulled."""

from collections.abc import Iterator

from slipway.domain.agreement import Unknown
from slipway.domain.auditing import remedies
from slipway.domain.auditing.named import own_images
from slipway.domain.auditing.picture import Moving, Picture, known, reference_of
from slipway.domain.candidate import newest_deploy
from slipway.domain.finding import Finding, Remedy, Severity
from slipway.domain.image import PublishedImage

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
                remedies.roll_back(
                    picture.target,
                    "its image is gone from the registry",
                    "go back to an image that is there",
                ),
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
            Remedy(
                "see what is wrong between here and the registry",
                f"slipway doctor {picture.target.name}",
            ),
        )


def unpullable(picture: Picture) -> Findings:
    """IMG003: no pull secret of the pod template pulls the image."""
    pulls = known(picture.pulls)
    if not pulls or any(not each.problem for each in pulls):
        return
    names = ", ".join(each.secret or "none named" for each in pulls)
    yield Finding(
        "IMG003",
        Severity.CRITICAL,
        picture.target.name,
        f"pull secret {names}",
        "a pull secret of the pod template pulls the image",
        "; ".join(each.problem for each in pulls),
        Remedy(
            "renew the registry's user and token in the ESC environment, then make the secret anew",
            f"pulumi up --stack {picture.target.stack}",
        ),
    )


def overwritten(picture: Picture) -> Findings:
    """IMG004: a commit's tag holds another image than was published under it."""
    held, published = known(picture.registry), known(picture.ledger).published
    for tag, image in held.tags.items():
        recorded = published.get(tag)
        if image is None or recorded is None or image.digest == recorded:
            continue
        repository = picture.target.service.repository
        yield Finding(
            "IMG004",
            Severity.CRITICAL,
            picture.target.name,
            f"{repository}:{tag}",
            f"{recorded}, as it was published",
            f"{image.digest}: somebody has overwritten the tag",
            remedies.retag(
                repository, tag, recorded, "find out who pushed it, and point the tag back"
            ),
        )


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
    if main is not None and (main.digest == newest.digest or known(picture.git).main_is_newer):
        return
    repository = picture.target.service.repository
    yield Finding(
        "IMG005",
        Severity.WARNING,
        picture.target.name,
        f"{repository}:{MAIN}",
        f"{newest.digest}, the newest deploy that went live ({newest.commit})",
        str(main.digest) if main else "no such tag",
        remedies.retag(repository, MAIN, newest.digest, "point it at what was deployed last"),
    )


def mutable(picture: Picture) -> Findings:
    """IMG008: the pod template names an image by something that may move, or never pulls it."""
    seen = known(picture.cluster)
    if seen is None or not seen.image:
        return
    reference = reference_of(seen.image)
    if reference is not None and reference.digest is None and reference.commit is None:
        named = f"tag {reference.tag}" if reference.tag else "no tag, which means latest"
        yield _template(picture, seen.image, named, "a commit's tag, with its digest")
    if seen.pull_policy == "Never":
        yield _template(picture, "imagePullPolicy", "imagePullPolicy Never", "IfNotPresent")


def wrong_platform(picture: Picture) -> Findings:
    """IMG010: the image has nothing for some node, or a part of its index is gone."""
    seen, nodes = known(picture.cluster), known(picture.nodes)
    if seen is None or seen.image not in own_images(picture):
        return
    image = known(picture.registry).image(seen.image)
    lacking = sorted(nodes - image.platforms) if image is not None and image.platforms else []
    if image is not None and lacking:
        yield _unfit(picture, seen.image, image, f"nothing for {', '.join(lacking)}")


def broken_index(picture: Picture) -> Findings:
    """IMG010 too: what a node would pull is not whole."""
    seen = known(picture.cluster)
    if seen is None or seen.image not in own_images(picture):
        return
    image = known(picture.registry).image(seen.image)
    broken = [each.missing for each in known(picture.pulls) if each.missing]
    if image is not None and broken:
        yield _unfit(picture, f"parts of {seen.image}", image, broken[0])


def no_way_back(picture: Picture) -> Findings:
    """IMG012: there were ways back, and none of them can be pulled any more."""
    ways = known(picture.ledger).ways_back
    held = known(picture.registry)
    if not ways or any(held.image(str(each)) is not None for each in ways):
        return
    yield Finding(
        "IMG012",
        Severity.ERROR,
        picture.target.name,
        "the default rollback",
        f"one of {len(ways)} images that were live here before is in the registry",
        f"none is: {', '.join(str(each) for each in ways[:3])}",
        Remedy(
            "protect images from whatever deletes them, and see what is left to go back to",
            f"slipway candidates {picture.target.name}",
        ),
    )


def needless(picture: Picture) -> Findings:
    """IMG016: images that nobody needs any more, by the plan that pruning makes."""
    plan = known(picture.prunable)
    if plan is None or not plan.deletions:
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


def _template(picture: Picture, about: str, seen: str, expected: str) -> Finding:
    commit = remedies.live_commit(known(picture.ledger).history)
    return Finding(
        "IMG008",
        Severity.WARNING,
        picture.target.name,
        about,
        expected,
        seen,
        remedies.deploy(
            picture.target,
            commit or known(picture.git).head.commit,
            "deploy it by its commit, which pins the digest",
        ),
    )


def _unfit(picture: Picture, about: str, image: PublishedImage, seen: str) -> Finding:
    return Finding(
        "IMG010",
        Severity.CRITICAL,
        picture.target.name,
        about,
        f"{image.digest} is whole, and for every node's platform",
        seen,
        remedies.roll_back(
            picture.target,
            "its image can't be pulled whole",
            "go back to an image that is whole, then build for every platform that nodes have",
        ),
    )

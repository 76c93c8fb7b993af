"""Rules about pulling: may the nodes, is there something for each, and is there a way back."""

from collections.abc import Iterator, Sequence

from slipway.domain.auditing import remedies
from slipway.domain.auditing.named import own_images
from slipway.domain.auditing.picture import NotKnown, Picture, Pull, known
from slipway.domain.auditing.ways import WAYS_BACK, find_way_back, ways_left
from slipway.domain.finding import Finding, Remedy, Severity
from slipway.domain.image import PublishedImage
from slipway.domain.node_credentials import NOT_SHOWN, denied_pull, pulled_by
from slipway.domain.scheduling import Node, platforms_of

SHOWN = 3
"""Lost ways back that are named."""
Findings = Iterator[Finding]


def unpullable(picture: Picture) -> Findings:
    """IMG003: no pull secret of the pod template pulls the image.

    Where it names none, a node may still have credentials of its own: then a pod has to show it.
    """
    pulls = known(picture.pulls)
    if not pulls or any(not each.problem for each in pulls):
        return
    problems = [each.problem for each in pulls]
    if not any(each.secret for each in pulls):
        problems.append(_denied_or_not_told(picture, problems[0]))
    names = ", ".join(each.secret or "none named" for each in pulls)
    yield Finding(
        "IMG003",
        Severity.CRITICAL,
        picture.target.name,
        f"pull secret {names}",
        "a pull secret of the pod template pulls the image",
        "; ".join(problems),
        _secret_anew(picture, pulls),
    )


def wrong_platform(picture: Picture) -> Findings:
    """IMG010: the image has nothing for some node, or a part of its index is gone."""
    seen, nodes = known(picture.cluster), known(picture.nodes)
    if seen is None or seen.image not in own_images(picture):
        return
    image = known(picture.registry).image(seen.image)
    if image is None or not image.platforms:
        return
    lacking = [each for each in nodes if each.platform not in image.platforms]
    if not lacking:
        return
    only_some = len(lacking) < len(nodes)
    yield _unfit(
        picture,
        seen.image,
        image,
        f"nothing for {', '.join(sorted(platforms_of(lacking)))}",
        _keep_off(lacking)
        if find_way_back(picture) is None and only_some
        else _back_to_whole(picture),
    )


def broken_index(picture: Picture) -> Findings:
    """IMG010 too: what a node would pull is not whole."""
    seen = known(picture.cluster)
    if seen is None or seen.image not in own_images(picture):
        return
    image = known(picture.registry).image(seen.image)
    if image is not None and image.missing:
        about = f"parts of {seen.image}"
        gone = f"its part {min(image.missing)} is gone from the registry"
        yield _unfit(picture, about, image, gone, _back_to_whole(picture))


def no_way_back(picture: Picture) -> Findings:
    """IMG012: there were ways back, and too few of them are left that a rollback could take."""
    ways = known(picture.ledger).ways_back
    wanted = min(WAYS_BACK, len(ways))
    left, lost = ways_left(picture)
    if left >= wanted:
        return
    yield Finding(
        "IMG012",
        Severity.ERROR,
        picture.target.name,
        "the default rollback",
        f"a rollback can go to {wanted} of {len(ways)} images that were live here before",
        f"it can go to {left}: {'; '.join(lost[:SHOWN])}",
        remedies.go_on(
            picture,
            "protect images from whatever deletes them, and deploy a newer commit, which makes "
            "today's image a way back",
        ),
    )


def _denied_or_not_told(picture: Picture, problem: str) -> str:
    """What a pod shows of it that nobody's credentials pull; `NotKnown` where none shows it."""
    seen, container = known(picture.cluster), picture.target.workload.container
    denied = denied_pull(seen, container) if seen is not None else ""
    if seen is None or denied:
        return denied
    image = known(picture.registry).images.get(seen.image)
    running = len(pulled_by(seen, container, image.accepted)) if image is not None else 0
    raise NotKnown(
        f"the pod template names no pull secret, and {problem}; {NOT_SHOWN}: "
        + (
            f"{running} ready pods run the image, so some node can pull it, or could"
            if running
            else "no ready pod shows that they pull it"
        )
    )


def _secret_anew(picture: Picture, pulls: Sequence[Pull]) -> Remedy:
    """What Pulumi believes to be there as it made it, it leaves alone until it has looked."""
    stack = picture.target.stack
    if not any(each.secret for each in pulls):
        return Remedy(
            "let the pod template of the program name a pull secret, then apply it",
            f"pulumi up --refresh --stack {stack}",
        )
    if all(each.rejected for each in pulls):
        return Remedy(
            "renew the registry's user and token in the ESC environment, then make the secret anew",
            f"pulumi up --stack {stack}",
        )
    unusable = [each.secret for each in pulls if each.secret and each.unreadable]
    seen = known(picture.cluster)
    delete = (
        f"kubectl --namespace {seen.namespace} delete secret {' '.join(unusable)} && "
        if unusable and seen is not None
        else ""
    )
    return Remedy(
        "let Pulumi find out what became of the secret, and make it again",
        f"{delete}pulumi up --refresh --stack {stack}",
    )


def _keep_off(lacking: Sequence[Node]) -> Remedy:
    names = sorted(each.name for each in lacking)
    return Remedy(
        "let the program name the nodeSelector kubernetes.io/arch for these pods, or build the "
        "image for such nodes too (`platform` of the service); until then this keeps all new pods "
        "off them, other people's too (kubectl uncordon ends it)",
        f"kubectl cordon {' '.join(names)}",
    )


def _back_to_whole(picture: Picture) -> Remedy:
    return remedies.roll_back(
        picture,
        "its image can't be pulled whole",
        "go back to an image that is whole, then build for every platform that nodes have",
    )


def _unfit(
    picture: Picture, about: str, image: PublishedImage, seen: str, remedy: Remedy
) -> Finding:
    return Finding(
        "IMG010",
        Severity.CRITICAL,
        picture.target.name,
        about,
        f"{image.digest} is whole, and for each node that the pods may come to",
        seen,
        remedy,
    )

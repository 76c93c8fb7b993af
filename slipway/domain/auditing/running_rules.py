"""Rules about what runs: does everybody name the same image, and is it the one that runs."""

from collections.abc import Iterator
from datetime import datetime

from slipway.domain.auditing import remedies
from slipway.domain.auditing.named import is_anothers, is_overwritten, own_images
from slipway.domain.auditing.picture import Applied, NotKnown, Picture, known, reference_of
from slipway.domain.config import ConfigRevision
from slipway.domain.finding import Finding, Remedy, Severity
from slipway.domain.fitness import AUTOSCALERS, others_of, ready_digests, untold_pods
from slipway.domain.image import ImageReference, PublishedImage
from slipway.domain.rollout import current_set
from slipway.domain.target import CommitInfo
from slipway.domain.workloads import Workloads, running_digest

STALE_DAYS = 14
"""Days after which a change that nobody has deployed is more than news."""
OLD_DAYS = 180
"""Days after which what an image was built from (its base, its packages) is asked about."""
Findings = Iterator[Finding]


def not_applied(picture: Picture) -> Findings:
    """IMG006: ESC names another image than Pulumi has applied."""
    config, applied = known(picture.config), known(picture.stack)
    if config.value is None or config.value == applied.image:
        return
    seen = known(picture.cluster)
    if seen is None and applied.image is None:
        return  # it is gone, and another rule says so; nobody knows which of the stack's it was
    since = _since(picture.set_in) if picture.set_in else f"at revision {config.revision}"
    yield Finding(
        "IMG006",
        Severity.ERROR,
        picture.target.name,
        str(config.key),
        f"{applied.image or 'no image'}, which Pulumi has applied",
        f"{config.value} {since}: nobody has applied it, and the next update of the stack, whoever "
        "runs it, will",
        remedies.deploy(
            picture, remedies.commit_to_run(picture), "deploy what is to run, by its commit"
        ),
    )


def changed_behind_pulumi(picture: Picture) -> Findings:
    """IMG006 too: the Deployment asks for another image than Pulumi has applied."""
    seen, applied = known(picture.cluster), known(picture.stack)
    if seen is None or applied.image is None or seen.image == applied.image:
        return
    yield Finding(
        "IMG006",
        Severity.ERROR,
        picture.target.name,
        str(seen),
        f"{applied.image}, which Pulumi has applied",
        f"it asks for {seen.image}: somebody changed it behind Pulumi's back",
        remedies.take_back(picture.target, seen, applied.image),
    )


def runs_another(picture: Picture) -> Findings:
    """IMG007: a ready pod runs another digest than the one that its template names."""
    seen = known(picture.cluster)
    reference = reference_of(seen.image) if seen is not None else None
    if seen is None or reference is None:
        return
    if reference.repository != picture.target.service.repository:
        return  # not looked up: another rule says so
    _require_settled(seen)
    image = known(picture.registry).image(seen.image)
    if image is None or _tag_lies(picture, reference, image):
        return
    container = picture.target.workload.container
    wrong = {each for each in ready_digests(seen, container) if each not in image.accepted}
    untold = untold_pods(seen, container)
    if untold and not wrong:
        raise NotKnown(f"the container runtime does not tell the image of {', '.join(untold)}")
    if not wrong:
        return
    pods = sorted(
        pod.name
        for pod in seen.pods
        for each in pod.containers
        if each.name == container and running_digest(each.image_id) in wrong
    )
    shown = ", ".join(str(each) for each in sorted(wrong))
    yield Finding(
        "IMG007",
        Severity.ERROR,
        picture.target.name,
        str(seen),
        f"{image.digest}, which {seen.image} is",
        f"pods run {shown}: {', '.join(pods)}"
        + (f"; the runtime does not tell the image of {', '.join(untold)}" if untold else ""),
        _replace(picture, seen, image, pods),
    )


def behind(picture: Picture) -> Findings:
    """IMG011: commits that change the image wait to be deployed."""
    git = known(picture.git)
    deployed = _deployed(picture)
    if deployed is None or not git.pending:
        return
    oldest = git.pending[-1]
    days = (picture.at - datetime.fromisoformat(oldest.committed_at)).days
    yield Finding(
        "IMG011",
        Severity.WARNING if days > STALE_DAYS else Severity.INFO,
        picture.target.name,
        f"branch {picture.target.branch}",
        f"what runs is built from what {git.head.commit.short} holds",
        f"{len(git.pending)} commits that change it are newer than {deployed.commit.short}, "
        f"the oldest {oldest.commit.short} ({oldest.subject[:50]}), {days} days old",
        remedies.deploy_newest(picture, "deploy the newest when it is ready"),
    )


def aged(picture: Picture) -> Findings:
    """IMG011 too: the image is old, although nobody has changed the service since.

    Where a change waits, its deploy makes the image anew.
    """
    seen = known(picture.cluster)
    if seen is None or seen.image not in own_images(picture):
        return
    if _deployed(picture) is None or known(picture.git).pending:
        return
    image = known(picture.registry).image(seen.image)
    if image is None or image.created is None:
        return
    days = (picture.at - image.created).days
    if days <= OLD_DAYS:
        return
    yield Finding(
        "IMG011",
        Severity.INFO,
        picture.target.name,
        f"age of {seen.image}",
        f"an image is built anew within {OLD_DAYS} days, from a newer base",
        f"it was built {days} days ago, and nothing that its build sees has changed since",
        Remedy(
            f"name a newer base image in {picture.target.service.dockerfile_path}, commit that, "
            "and deploy the commit"
        ),
    )


def absent(picture: Picture) -> Findings:
    """SYS008: there is no Deployment."""
    if known(picture.cluster) is not None:
        return
    live = remedies.live_image(known(picture.ledger).history)
    recorded = isinstance(picture.stack, Applied) and picture.stack.image is not None
    yield Finding(
        "SYS008",
        Severity.CRITICAL,
        picture.target.name,
        str(picture.target.workload),
        "it is there",
        "the cluster has no such Deployment",
        Remedy(
            "let Pulumi find out that it is gone, then make it again (or correct the target)",
            f"pulumi up --refresh --stack {picture.target.stack}",
        )
        if live or recorded
        else remedies.deploy(
            picture,
            remedies.commit_to_run(picture),
            "make it for the first time (or correct the target)",
            "--first",
        ),
    )


def owned_by_others(picture: Picture) -> Findings:
    """SYS003 and SYS004: what the program sets, image or replicas, is another tool's or kubectl's.

    Replicas that the program leaves out are whoever's scales the Deployment.
    """
    seen = known(picture.cluster)
    if seen is None:
        return
    scaled_by = seen.replicas_managers if known(picture.stack).sets_replicas else ()
    for field, managers in (("image", seen.image_managers), ("replicas", scaled_by)):
        for manager in others_of(managers):
            yield Finding(
                "SYS004" if manager.startswith("kubectl") else "SYS003",
                Severity.ERROR,
                picture.target.name,
                f"{field} of {seen}",
                "field manager pulumi-kubernetes",
                f"field manager {manager}: the next `pulumi up` would conflict",
                _pulumis_again(picture, seen, field, manager),
            )


def _deployed(picture: Picture) -> CommitInfo | None:
    """The commit from which what is deployed was built; `NotKnown` where nothing tells it."""
    known(picture.cluster)  # a lineage of nothing seen is none
    git = known(picture.git)
    if git.untold:
        raise NotKnown(git.untold)
    return git.deployed


def _since(revision: ConfigRevision) -> str:
    """Who is to be asked: whoever wrote the key, not whoever wrote another one after that."""
    by = f" by {revision.author}" if revision.author else ""
    return f"since revision {revision.number}{by}"


def _require_settled(seen: Workloads) -> None:
    """`NotKnown` while a rollout is under way: an old pod may run another image then.

    What was found before is not gone because of that: it is looked at again afterwards.
    """
    ready = [pod for pod in seen.pods if pod.ready and not pod.terminating]
    if seen.replicas == 0 and not ready:
        return  # nothing runs, and nothing is to
    current = current_set(seen)
    if current is None or seen.observed_generation < seen.generation:
        raise NotKnown(f"{seen}: its controller has not begun with what is asked for")
    if any(pod.replica_set != current.name for pod in ready):
        raise NotKnown(f"{seen}: a rollout is under way, and old pods are still ready")
    if not seen.updated == seen.replicas == len(ready):
        raise NotKnown(
            f"{seen}: of {seen.replicas} pods {seen.updated} are updated, {len(ready)} are ready"
        )


def _tag_lies(picture: Picture, reference: ImageReference, image: PublishedImage) -> bool:
    """Whether the tag is what is wrong: another rule says so, and its remedy is for the pods too.

    New pods would start what somebody else has put there.
    """
    commit = reference.commit
    if is_overwritten(picture, reference, image):
        return True
    return commit is not None and is_anothers(picture, commit, image)


def _pulumis_again(picture: Picture, seen: Workloads, field: str, manager: str) -> Remedy:
    recorded = known(picture.stack).image or seen.image
    if field == "image" and seen.image != recorded:
        return remedies.take_back(picture.target, seen, recorded)
    if field == "replicas" and manager in AUTOSCALERS:
        return remedies.leave_replicas(picture.target)
    return remedies.let_go(seen)


def _replace(picture: Picture, seen: Workloads, image: PublishedImage, pods: list[str]) -> Remedy:
    """By a digest a new pod can only be right; by a tag a node may start its own older copy."""
    reference = ImageReference.parse(seen.image)
    if reference.digest is not None:
        return Remedy(
            "let new pods take their place",
            f"kubectl --namespace {seen.namespace} delete pod {' '.join(pods)}",
        )
    unlabelled = reference.commit is not None and image.labelled is None
    return remedies.deploy(
        picture,
        remedies.commit_to_run(picture),
        "deploy it by its commit, which pins the digest: a new pod alone may start from the node's "
        "own copy",
        *(["--adopt-image"] if unlabelled else []),
    )

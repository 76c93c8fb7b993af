"""Rules about what runs: does everybody name the same image, and is it the one that runs."""

from collections.abc import Iterator
from datetime import datetime

from slipway.domain.auditing import remedies
from slipway.domain.auditing.picture import Picture, known, reference_of
from slipway.domain.finding import Finding, Remedy, Severity
from slipway.domain.fitness import PULUMI, ready_digests
from slipway.domain.rollout import CREATE_REASONS, FATAL_AT_ONCE, PULL_REASONS
from slipway.domain.workloads import Container, Workloads, running_digest

STALE_DAYS = 14
"""Days after which a change that nobody has deployed is more than news."""
TROUBLES = FATAL_AT_ONCE | PULL_REASONS | CREATE_REASONS | {"CrashLoopBackOff"}
Findings = Iterator[Finding]


def not_applied(picture: Picture) -> Findings:
    """IMG006: ESC names another image than Pulumi has applied."""
    config, applied = known(picture.config), known(picture.stack)
    if config.value is None or config.value == applied.image:
        return
    seen = known(picture.cluster)
    if seen is None and applied.image is None:
        return  # it is gone, and another rule says so; nobody knows which of the stack's it was
    commit = remedies.commit_of(seen.image if seen else "")
    commit = commit or remedies.live_commit(known(picture.ledger).history)
    by = f" by {config.author}" if config.author else ""
    yield Finding(
        "IMG006",
        Severity.ERROR,
        picture.target.name,
        str(config.key),
        f"{applied.image or 'no image'}, which Pulumi has applied",
        f"{config.value} since revision {config.revision}{by}: nobody has applied it, and the next "
        "update of the stack, whoever runs it, will",
        remedies.deploy(picture.target, commit or "COMMIT", "deploy what is to run, by its commit"),
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
    if seen is None or reference is None or not _is_settled(seen):
        return
    if reference.repository != picture.target.service.repository:
        return  # not looked up: another rule says so
    image = known(picture.registry).image(seen.image)
    if image is None:
        return
    container = picture.target.workload.container
    wrong = {each for each in ready_digests(seen, container) if each not in image.accepted}
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
        f"pods run {shown}: {', '.join(pods)}",
        Remedy(
            "let new pods take their place",
            f"kubectl --namespace {seen.namespace} delete pod {' '.join(pods)}",
        ),
    )


def behind(picture: Picture) -> Findings:
    """IMG011: commits that change the image wait to be deployed."""
    git = known(picture.git)
    if git.deployed is None or not git.pending:
        return
    oldest = git.pending[-1]
    days = (picture.at - datetime.fromisoformat(oldest.committed_at)).days
    yield Finding(
        "IMG011",
        Severity.WARNING if days > STALE_DAYS else Severity.INFO,
        picture.target.name,
        f"branch {picture.target.branch}",
        f"what runs is built from what {git.head.commit.short} holds",
        f"{len(git.pending)} commits that change it are newer than {git.deployed.commit.short}, "
        f"the oldest {oldest.commit.short} ({oldest.subject[:50]}), {days} days old",
        remedies.deploy(picture.target, git.head.commit, "deploy the newest when it is ready"),
    )


def in_trouble(picture: Picture) -> Findings:
    """IMG013: a container of the Deployment can't start or keep running."""
    seen = known(picture.cluster)
    if seen is None:
        return
    told: set[tuple[str, str]] = set()
    for pod in seen.pods:
        if pod.terminating:
            continue
        if pod.unschedulable and ("", "unschedulable") not in told:
            told.add(("", "unschedulable"))
            yield _trouble(picture, "unschedulable", f"pod {pod.name}: {pod.unschedulable}")
        for each in pod.containers:
            why = _why(each)
            if why and (each.name, why) not in told:
                told.add((each.name, why))
                message = f": {each.waiting_message}" if each.waiting_message else ""
                shown = f"pod {pod.name}: {each.waiting or each.terminated}{message}"
                yield _trouble(picture, f"container {each.name}, {why}", shown)


def absent(picture: Picture) -> Findings:
    """SYS008: there is no Deployment."""
    if known(picture.cluster) is not None:
        return
    commit = remedies.live_commit(known(picture.ledger).history)
    yield Finding(
        "SYS008",
        Severity.CRITICAL,
        picture.target.name,
        str(picture.target.workload),
        "it is there",
        "the cluster has no such Deployment",
        Remedy(
            "let Pulumi find out that it is gone, then make it again (or correct the target)",
            f"pulumi up --refresh --stack {picture.target.stack}"
            if commit
            else f"slipway deploy {picture.target.name} COMMIT --first",
        ),
    )


def owned_by_others(picture: Picture) -> Findings:
    """SYS003 and SYS004: the image or the replicas belong to another tool, or to kubectl."""
    seen = known(picture.cluster)
    if seen is None:
        return
    recorded = known(picture.stack).image or seen.image
    for field, managers in (("image", seen.image_managers), ("replicas", seen.replicas_managers)):
        for manager in managers:
            if manager.startswith(PULUMI):
                continue
            yield Finding(
                "SYS004" if manager.startswith("kubectl") else "SYS003",
                Severity.ERROR,
                picture.target.name,
                f"{field} of {seen}",
                "field manager pulumi-kubernetes",
                f"field manager {manager}: the next `pulumi up` would conflict",
                remedies.take_back(picture.target, seen, recorded)
                if field == "image" and seen.image != recorded
                else remedies.let_go(seen),
            )


def _is_settled(seen: Workloads) -> bool:
    """Whether no rollout is under way: only then must every ready pod run the template's image."""
    ready = [pod for pod in seen.pods if pod.ready and not pod.terminating]
    return (
        seen.observed_generation >= seen.generation
        and seen.updated == seen.replicas == len(ready)
        and all(pod.replica_set == ready[0].replica_set for pod in ready)
    )


def _why(container: Container) -> str:
    if container.waiting in TROUBLES:
        return "pull" if container.waiting in PULL_REASONS else "waiting"
    if container.terminated == "OOMKilled" and not container.ready:
        return "memory"
    return ""


def _trouble(picture: Picture, about: str, seen: str) -> Finding:
    return Finding(
        "IMG013",
        Severity.ERROR,
        picture.target.name,
        about,
        "every pod of the Deployment runs",
        seen,
        Remedy(
            "see why, then mend it or roll back",
            f"slipway doctor {picture.target.name}",
        ),
    )

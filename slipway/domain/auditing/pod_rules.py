"""Rules about pods: can their containers start, and do they keep running."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from slipway.domain.agreement import Unknown
from slipway.domain.auditing import remedies
from slipway.domain.auditing.picture import Picture, known, reference_of
from slipway.domain.candidate import present
from slipway.domain.finding import Finding, Remedy, Severity
from slipway.domain.rollout import (
    BACKING_OFF,
    CREATE_REASONS,
    EXITS_UNTIL_DISPROVEN,
    FATAL_AT_ONCE,
    PULL_REASONS,
    current_set,
)
from slipway.domain.workloads import Container, Workloads

RECENT = timedelta(hours=1)
"""Within it a container has ended twice whose restarts are told."""
WAITING = FATAL_AT_ONCE | CREATE_REASONS
UNSCHEDULABLE = "unschedulable"
Findings = Iterator[Finding]


def in_trouble(picture: Picture) -> Findings:
    """IMG013: a container can't start or keep running, a pod finds no node, or none is ready."""
    seen = known(picture.cluster)
    told: set[tuple[str, str]] = set()
    for pod in seen.pods if seen is not None else ():
        if pod.terminating or pod.over:
            continue
        if pod.unschedulable and ("", UNSCHEDULABLE) not in told:
            told.add(("", UNSCHEDULABLE))
            shown = f"pod {pod.name}: {pod.unschedulable}"
            yield _trouble(picture, UNSCHEDULABLE, shown, _room())
        for each in pod.containers:
            why = _why(each, picture.at)
            if why and (each.name, why) not in told:
                told.add((each.name, why))
                about = f"container {each.name}, {why}"
                shown = f"pod {pod.name}: {_shown(each)}"
                yield _trouble(picture, about, shown, _again(picture, why))
    if seen is not None and not told:
        yield from _idle(picture, seen)


def _idle(picture: Picture, seen: Workloads) -> Findings:
    """Of pods that only do not come up no container tells: the Deployment does."""
    ready = sum(pod.ready and not pod.terminating for pod in seen.pods)
    current = current_set(seen)
    if current is not None and current.failure:
        yield _trouble(picture, "new pods", f"none can be made: {current.failure}", _describe(seen))
    elif seen.replicas and not ready:
        shown = f"none of its {seen.replicas} pods is ready"
        yield _trouble(picture, "readiness", shown, _again(picture, "readiness"))
    elif seen.deadline_exceeded:
        shown = f"its rollout has exceeded its deadline, {ready} of {seen.replicas} pods are ready"
        yield _trouble(picture, "readiness", shown, _again(picture, "readiness"))


def _why(container: Container, at: datetime) -> str:
    """What kind of trouble it is in; the same as long as it stays in it, and empty in none."""
    if container.waiting in PULL_REASONS:
        return "pull"
    if container.waiting in WAITING:
        return "waiting"
    restarting = container.waiting == BACKING_OFF or _ended_again(container, at)
    if container.terminated == "OOMKilled" and (restarting or not container.ready):
        return "memory"
    return "restarts" if restarting else ""


def _ended_again(container: Container, at: datetime) -> bool:
    """Whether it has ended more often than bad luck explains, and lately: a count has no time.

    The run that ended last began where the one before it had ended. An init container that has
    come to its end has no trouble left, however often a node was booted.
    """
    began = container.run_began
    if began is None or container.done or container.restarts < EXITS_UNTIL_DISPROVEN:
        return False
    return at - began <= RECENT


def _shown(container: Container) -> str:
    message = f": {container.waiting_message}" if container.waiting_message else ""
    ended = f"last ended by {container.terminated}, exit code {container.exit_code}"
    parts = [
        f"{container.waiting}{message}" if container.waiting else "",
        f"{container.restarts} restarts" if container.restarts else "",
        ended if container.terminated else "",
    ]
    return ", ".join(each for each in parts if each)


def _again(picture: Picture, why: str) -> Remedy:
    """Go back to what was proven live, where that is not what is asked for; else new pods."""
    name = picture.target.name
    seen = picture.cluster
    if why == "pull" and isinstance(seen, Workloads) and _image_is_gone(picture):
        return remedies.instead_of_missing(picture, seen.image)
    memory = picture.ledger
    live = None if isinstance(memory, Unknown) else present(memory.history)
    if live is not None and not _asks_for(picture, live.image):
        return remedies.deploy(picture, live.commit, "deploy again what was proven live last")
    cause = "give it more memory in the program" if why == "memory" else "mend that"
    return Remedy(
        f"let new pods take their place; where those fail too it shows why: {cause}, or roll back",
        f"slipway restart {name}",
    )


def _image_is_gone(picture: Picture) -> bool:
    seen, held = picture.cluster, picture.registry
    if isinstance(held, Unknown) or isinstance(seen, Unknown) or seen is None:
        return False
    return seen.image in held.images and held.images[seen.image] is None


def _asks_for(picture: Picture, image: str) -> bool:
    """Whether the pod template asks for this image, by its digest or by its commit's tag."""
    seen = known(picture.cluster)
    named, live = reference_of(seen.image if seen is not None else None), reference_of(image)
    if named is None or live is None or named.repository != live.repository:
        return False
    if named.digest is not None and live.digest is not None:
        return named.digest == live.digest
    return named.commit == live.commit


def _describe(seen: Workloads) -> Remedy:
    return Remedy(
        "let the cluster take its pods (a quota, an admission webhook); this shows what it says",
        f"kubectl --namespace {seen.namespace} describe deployment,replicaset",
    )


def _room() -> Remedy:
    return Remedy(
        "add a node, or let the program ask for less; this shows what each node has left",
        "kubectl describe nodes",
    )


def _trouble(picture: Picture, about: str, seen: str, remedy: Remedy) -> Finding:
    return Finding(
        "IMG013",
        Severity.ERROR,
        picture.target.name,
        about,
        "every pod of the Deployment runs",
        seen,
        remedy,
    )

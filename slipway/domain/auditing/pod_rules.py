"""Rules about pods: can their containers start, and do they keep running."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from slipway.domain.agreement import Unknown
from slipway.domain.auditing import remedies
from slipway.domain.auditing.picture import NotKnown, Picture, known, reference_of
from slipway.domain.candidate import present
from slipway.domain.finding import Finding, Remedy, Severity
from slipway.domain.redaction import redacted
from slipway.domain.rollout import (
    BACKING_OFF,
    CREATE_REASONS,
    EXITS_UNTIL_DISPROVEN,
    FATAL_AT_ONCE,
    PULL_GRACE,
    PULL_REASONS,
    UNSCHEDULABLE_GRACE,
    current_set,
    waiting_grace,
)
from slipway.domain.workloads import Container, Pod, Workloads

RULE = "IMG013"
RECENT = timedelta(hours=1)
"""Within it a container has ended twice whose restarts are told."""
CALM = timedelta(hours=3)
"""Longer than it is one that ends every now and then: what was told of it stands so long."""
WAITING = FATAL_AT_ONCE | CREATE_REASONS
UNSCHEDULABLE, READINESS = "unschedulable", "readiness"
Findings = Iterator[Finding]


@dataclass(frozen=True, slots=True)
class _Trouble:
    why: str
    about: str
    """The same as long as it stays the same trouble, whichever pod has it."""
    shown: str
    grace: float = 0.0
    """Seconds that a release would give it, too."""


def in_trouble(picture: Picture) -> Findings:
    """IMG013: a container can't start or keep running, a pod finds no node, or none is ready.

    What may be over in a moment is not judged before its grace is.
    """
    seen = known(picture.cluster)
    found: dict[str, Finding] = {}
    early: list[str] = []
    for pod in seen.pods if seen is not None else ():
        for each in () if pod.terminating or pod.over else _troubles(picture, pod):
            if _is_young(pod, picture.at, each.grace):
                early.append(each.shown)
                # Of what stands, a younger pod in the same trouble says nothing yet.
                found |= {one.about: one for one in _standing(picture) if one.about == each.about}
            elif each.about not in found:
                remedy = _room() if each.why == UNSCHEDULABLE else _again(picture, each.why)
                found[each.about] = _finding(picture, each.about, each.shown, remedy)
    yield from found.values()
    if seen is not None and not found:
        if early:
            raise NotKnown(f"{early[0]}: that may be over in a moment")
        yield from _idle(picture, seen)


def _standing(picture: Picture) -> list[Finding]:
    return [each for each in picture.standing if each.rule == RULE]


def _troubles(picture: Picture, pod: Pod) -> Iterator[_Trouble]:
    if pod.unschedulable:
        shown = f"pod {pod.name}: {redacted(pod.unschedulable)}"
        yield _Trouble(UNSCHEDULABLE, UNSCHEDULABLE, shown, UNSCHEDULABLE_GRACE)
    for each in pod.containers:
        why = _why(picture, each)
        if why:
            shown = f"pod {pod.name}: {_shown(each)}"
            yield _Trouble(why, _about(each, why), shown, waiting_grace(each))


def _about(container: Container, why: str) -> str:
    return f"container {container.name}, {why}"


def _is_young(pod: Pod, at: datetime, grace: float) -> bool:
    """By two clocks: what has yet to happen by ours, by the cluster's has just been."""
    return pod.changed is not None and (at - pod.changed).total_seconds() < grace


def _idle(picture: Picture, seen: Workloads) -> Findings:
    """Of pods that only do not come up no container tells: the Deployment does."""
    alive = [pod for pod in seen.pods if not pod.terminating]
    ready = sum(pod.ready for pod in alive)
    current = current_set(seen)
    if current is not None and current.failure:
        shown = f"none can be made: {redacted(current.failure)}"
        yield _finding(picture, "new pods", shown, _describe(seen))
    elif seen.replicas and not ready:
        shown = f"none of its {seen.replicas} pods is ready"
        if any(_is_young(pod, picture.at, PULL_GRACE) for pod in alive):
            raise NotKnown(f"{shown}: that may be over in a moment")
        yield _finding(picture, READINESS, shown, _again(picture, READINESS))
    elif seen.deadline_exceeded:
        shown = f"its rollout has exceeded its deadline, {ready} of {seen.replicas} pods are ready"
        yield _finding(picture, READINESS, shown, _again(picture, READINESS))


def _why(picture: Picture, container: Container) -> str:
    """What kind of trouble it is in; the same as long as it stays in it, and empty in none."""
    if container.waiting in PULL_REASONS:
        return "pull"
    if container.waiting in WAITING:
        return "waiting"
    killed = container.terminated == "OOMKilled"
    why = "memory" if killed else "restarts"
    if container.waiting == BACKING_OFF or _ended_again(picture, container, why):
        return why
    return why if killed and not container.ready else ""


def _ended_again(picture: Picture, container: Container, why: str) -> bool:
    """Whether it has ended more often than bad luck explains, and lately: a count has no time.

    The run that ended last began where the one before it had ended. An init container that has
    come to its end has no trouble left, however often a node was booted.
    """
    began = container.run_began
    if began is None or container.done or container.restarts < EXITS_UNTIL_DISPROVEN:
        return False
    stood = any(each.about == _about(container, why) for each in _standing(picture))
    return picture.at - began <= (CALM if stood else RECENT)


def _shown(container: Container) -> str:
    message = f": {redacted(container.waiting_message)}" if container.waiting_message else ""
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


def _finding(picture: Picture, about: str, shown: str, remedy: Remedy) -> Finding:
    return Finding(
        RULE,
        Severity.ERROR,
        picture.target.name,
        about,
        "every pod of the Deployment runs",
        shown,
        remedy,
    )

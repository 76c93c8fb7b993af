"""The judge: what runs proves the image, disproves it, or it is too early to tell.

Waiting reasons are the kubelet's own words (kubernetes pkg/kubelet/images/types.go and
pkg/kubelet/kuberuntime); what is fatal at once and what gets a grace is said beside each.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from slipway.domain.image import Digest
from slipway.domain.redaction import redacted
from slipway.domain.workloads import Container, Pod, ReplicaSet, Workloads, running_digest

# Trying again can't help: the kubelet was refused, or the name itself is wrong.
FATAL_AT_ONCE = frozenset({"InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"})
PULL_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
CREATE_REASONS = frozenset({"CreateContainerError", "RunContainerError", "ImageInspectError"})
REFUSED_PULL = re.compile(
    r"not found|manifest unknown|denied|unauthorized|insufficient_scope|\b40[13]\b", re.IGNORECASE
)
PULL_GRACE = 30.0
"""Seconds that a pull may fail for reasons of the network before the image is disproven."""
UNSCHEDULABLE_GRACE = 60.0
"""Seconds that a pod may stay unscheduled: an autoscaler may need them."""
BACKING_OFF = "CrashLoopBackOff"
EXITS_UNTIL_DISPROVEN = 2
"""One exit may be bad luck (a dependency that was late); the second is the image's own."""


class Verdict(StrEnum):
    """What an observation shows."""

    WAITING = "waiting"
    PROVEN = "proven"
    DISPROVEN = "disproven"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with the sentence that explains it; `pod` is where to look."""

    verdict: Verdict
    why: str
    pod: str = ""
    started: bool = True
    """False where the image had no chance to run: not asked for, not pulled, or not placed."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must run: the pod template's image, and the digests it may be reported by."""

    image: str
    accepted: frozenset[Digest]
    container: str


@dataclass(frozen=True, slots=True)
class ProvenPod:
    """A pod that runs an accepted digest and is ready."""

    name: str
    digest: Digest
    restarts: int


@dataclass(frozen=True, slots=True)
class Proof:
    """What proves an image: a sentence, and the pods behind it."""

    why: str
    pods: tuple[ProvenPod, ...] = ()

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True, slots=True)
class Watch:
    """What earlier observations of one rollout have left."""

    first_seen: Mapping[str, float] = field(default_factory=dict)
    """When each trouble was first seen."""
    restarts: Mapping[str, int] | None = None
    """The restarts that the first observation found; they are not this rollout's. None before it.

    Empty from the start, every restart counts: for a single look.
    """

    def begun(self, seen: Workloads) -> "Watch":
        """The same, knowing how often each container had restarted when the rollout began."""
        if self.restarts is not None:
            return self
        return replace(self, restarts={key: each.restarts for key, each in _containers(seen.pods)})


def proof_of(expected: Expectation, seen: Workloads, why: str) -> Proof:
    """The pods of an observation that has been judged proven."""
    pods = (
        ProvenPod(pod.name, digest, sum(each.restarts for each in pod.containers))
        for pod in seen.pods
        if pod.ready and not pod.terminating
        for each in pod.containers
        if each.name == expected.container
        and (digest := running_digest(each.image_id)) in expected.accepted
        and digest is not None
    )
    return Proof(why, tuple(pods))


def judge(
    expected: Expectation, watch: Watch, seen: Workloads, at: float
) -> tuple[Watch, Judgement]:
    """Judge one observation in the light of the earlier ones; `at` is in seconds of one clock.

    Only pods of the ReplicaSet that carries the expected image speak, and only once the controller
    has observed the newest generation: before that, an old ReplicaSet's trouble would be blamed on
    the new image. Restarts count from the first observation on: a pod that was there before may
    have many, which say nothing of the rollout.
    """
    watch = watch.begun(seen)
    if seen.image != expected.image:
        why = f"{seen} asks for {seen.image}, not {expected.image}"
        return watch, Judgement(Verdict.WAITING, why, started=False)
    if seen.observed_generation < seen.generation:
        return watch, Judgement(Verdict.UNKNOWN, f"{seen}: the controller has not seen it yet")
    current = current_set(seen)
    if current is None:
        why = f"{seen}: no ReplicaSet for {expected.image} yet"
        return watch, Judgement(Verdict.WAITING, why, started=False)
    pods = [pod for pod in _alive(seen) if pod.replica_set == current.name]
    before = watch.restarts or {}
    troubles = {each.key: each for each in _troubles(current, pods, before)}
    times = {key: watch.first_seen.get(key, at) for key in troubles}
    for key, trouble in troubles.items():
        if at - times[key] >= trouble.grace:
            disproven = Judgement(Verdict.DISPROVEN, trouble.why, trouble.pod, trouble.started)
            return replace(watch, first_seen=times), disproven
    judgement = _progress(expected, seen, current, pods, troubles.values())
    if judgement.verdict is Verdict.WAITING and seen.deadline_exceeded:
        # Asked last: after an undo the condition stays for a while beside pods that are ready.
        why = f"{seen}: its progress deadline is exceeded; {judgement.why}"
        pod = pods[0].name if pods else ""
        judgement = Judgement(Verdict.DISPROVEN, why, pod, judgement.started)
    return replace(watch, first_seen=times), judgement


def pod_to_show(seen: Workloads, judgement: Judgement) -> str:
    """The pod whose log explains a judgement; a judgement of all pods is explained by a new one.

    Empty when there is no such pod: then only all of them together can tell.
    """
    current = current_set(seen)
    new = [pod for pod in _alive(seen) if current and pod.replica_set == current.name]
    waited_for = (pod.name for pod in new if not pod.ready)
    return judgement.pod or next(waited_for, "")


def _alive(seen: Workloads) -> Iterator[Pod]:
    """Pods that are to stay: neither on their way out, nor at their end and still lying about."""
    return (pod for pod in seen.pods if not (pod.terminating or pod.over))


@dataclass(frozen=True, slots=True)
class _Trouble:
    pod: str
    kind: str
    why: str
    grace: float = 0.0
    started: bool = True

    @property
    def key(self) -> str:
        return f"{self.pod}/{self.kind}"


def current_set(seen: Workloads) -> ReplicaSet | None:
    """The ReplicaSet of what is asked for now; None while there is none yet."""
    matching = [each for each in seen.replica_sets if each.image == seen.image]
    newest = max(matching, key=lambda each: each.revision, default=None)
    return newest if newest is not None and newest.revision >= seen.revision else None


def _containers(pods: Iterable[Pod]) -> Iterator[tuple[str, Container]]:
    for pod in pods:
        for container in pod.containers:
            yield f"{pod.name}/{container.name}", container


def _troubles(
    current: ReplicaSet, pods: list[Pod], before: Mapping[str, int]
) -> Iterator[_Trouble]:
    if current.failure:
        why = f"ReplicaSet {current.name}: {redacted(current.failure)}"
        yield _Trouble("", "failure", why, PULL_GRACE, started=False)
    for pod in pods:
        if pod.unschedulable:
            why = f"pod {pod.name} can't be scheduled: {redacted(pod.unschedulable)}"
            yield _Trouble(pod.name, "unschedulable", why, UNSCHEDULABLE_GRACE, started=False)
        for key, container in _containers([pod]):
            yield from _waiting_troubles(pod, container)
            yield from _exit_troubles(pod, container, container.restarts - before.get(key, 0))


def _waiting_troubles(pod: Pod, container: Container) -> Iterator[_Trouble]:
    where = f"container {container.name} of pod {pod.name}"
    message = f": {redacted(container.waiting_message)}" if container.waiting_message else ""
    why = f"{where} is {container.waiting}{message}"
    if container.waiting in FATAL_AT_ONCE and "failed to sync" not in container.waiting_message:
        yield _Trouble(pod.name, container.waiting, why)
    elif container.waiting in PULL_REASONS:
        # Back-off repeats the pull's own message only on some runtimes: one key holds both reasons.
        yield _Trouble(pod.name, "pull", why, waiting_grace(container), started=False)
    elif container.waiting in CREATE_REASONS:
        yield _Trouble(pod.name, "create", why, waiting_grace(container))
    elif container.terminated in {"ContainerCannotRun", "StartError"}:
        yield _Trouble(pod.name, "start", f"{where} can't start: {container.terminated}{message}")


def waiting_grace(container: Container) -> float:
    """Seconds that a container may wait for its reason before it is in trouble."""
    waiting, message = container.waiting, container.waiting_message
    if waiting in PULL_REASONS:
        return 0.0 if REFUSED_PULL.search(message) else PULL_GRACE
    late = waiting in FATAL_AT_ONCE and "failed to sync" in message
    return PULL_GRACE if late or waiting in CREATE_REASONS else 0.0


def _exit_troubles(pod: Pod, container: Container, restarts: int) -> Iterator[_Trouble]:
    if container.ready:
        return
    where = f"container {container.name} of pod {pod.name}"
    # The kubelet backs off from the second exit within ten minutes on (client-go, util/flowcontrol:
    # an entry expires after twice the longest back-off): whoever is in it has exited twice lately.
    backing_off = container.waiting == BACKING_OFF and container.restarts > 0
    exits = restarts + (container.waiting == BACKING_OFF)
    if backing_off or exits >= EXITS_UNTIL_DISPROVEN:
        ended = f"{container.terminated or 'ended'}, exit code {container.exit_code}"
        times = max(exits, EXITS_UNTIL_DISPROVEN)
        yield _Trouble(pod.name, "exits", f"{where} has ended {times} times: {ended}")
    if container.terminated == "OOMKilled" and (backing_off or restarts > 0):
        yield _Trouble(pod.name, "memory", f"{where} was OOMKilled: it needs more than its limit")


def _progress(
    expected: Expectation,
    seen: Workloads,
    current: ReplicaSet,
    pods: list[Pod],
    troubles: Iterable[_Trouble],
) -> Judgement:
    ready = [pod for pod in pods if pod.ready]
    if seen.replicas == 0:
        return Judgement(Verdict.UNKNOWN, f"{seen} is scaled to zero: nothing can be proven")
    if len(ready) < seen.replicas or seen.updated < seen.replicas:
        trouble = next(iter(troubles), None)
        seen_now = trouble.why if trouble else f"{len(ready)} of {seen.replicas} pods ready"
        pod, started = (trouble.pod, trouble.started) if trouble else ("", True)
        return Judgement(Verdict.WAITING, f"{seen}: {seen_now}", pod, started)
    # A terminating pod gets no traffic any more (Kubernetes EndpointSlices, `terminating`).
    old = [
        pod.name
        for pod in seen.pods
        if pod.replica_set != current.name and pod.ready and not pod.terminating
    ]
    if old:
        return Judgement(Verdict.WAITING, f"{seen}: old pods still ready: {', '.join(old)}")
    return _compare_digests(expected, ready)


def _compare_digests(expected: Expectation, ready: list[Pod]) -> Judgement:
    for pod in ready:
        container = next((each for each in pod.containers if each.name == expected.container), None)
        digest = running_digest(container.image_id) if container else None
        if container is None or digest is None:
            shown = container.image_id if container else f"no container {expected.container}"
            why = f"pod {pod.name} reports no digest that can be compared: {shown!r}"
            return Judgement(Verdict.UNKNOWN, why, pod.name)
        if digest not in expected.accepted:
            wanted = ", ".join(sorted(each.short for each in expected.accepted))
            why = f"pod {pod.name} runs {digest}, which is none of {wanted}"
            return Judgement(Verdict.DISPROVEN, why, pod.name)
    shown = ", ".join(pod.name for pod in ready)
    return Judgement(Verdict.PROVEN, f"{len(ready)} pods ready on the expected digest: {shown}")

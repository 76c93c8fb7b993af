"""Pods in memory: a container does what its image says, at its age."""

import bisect
import functools
from dataclasses import dataclass, replace
from datetime import timedelta

from slipway.domain.image import Digest, ImageReference
from slipway.domain.workloads import Container, Pod
from tests.fakes.images import Behaviour, FakeImage
from tests.fakes.restrictions import EPOCH

STARTS_IN = 1.0
TERMINATES_IN = 2.0
RESTARTS_AT = (1.0, 2.0, 12.0, 32.0)
"""Seconds after its start at which a crashing container has ended again: back-off 10 s, 20 s."""
DIES_AFTER = 6.0
"""When a container that dies or hangs later does so."""
PULL_BACKS_OFF_AT = 3.0
CHANGES_AT = sorted({STARTS_IN, DIES_AFTER, *RESTARTS_AT})
"""Ages at which what the kubelet reports of a container may change."""


@dataclass
class FakePod:
    """A pod of one ReplicaSet; what it does follows from its image and its age."""

    name: str
    replica_set: str
    reference: ImageReference
    image: FakeImage | None
    refused: str
    created: float
    deleted: float | None = None
    restarts: int = 0
    """How often it had restarted before anything that its behaviour tells of."""
    unready_until: float = 0.0
    named: Digest | None = None
    """By which digest the runtime tells its image; None for the image's own."""


def shows(pod: FakePod, now: float, container: str = "app") -> Pod:
    """What the kubelet reports of a pod at this moment."""
    state = state_of(pod, now, container)
    terminating, phase = pod.deleted is not None, "Running" if state.image_id else "Pending"
    seen = Pod(pod.name, pod.replica_set, state.ready, terminating, phase, (state,))
    return replace(seen, changed=EPOCH + timedelta(seconds=_changed(pod, state)))


def _changed(pod: FakePod, state: Container) -> float:
    """When it was made, or has become ready."""
    return max(pod.created + STARTS_IN, pod.unready_until) if state.ready else pod.created


def state_of(pod: FakePod, now: float, name: str = "app") -> Container:
    """Its container at this moment."""
    if pod.image is None:
        return _refused(name, pod, now - pod.created)
    passed = bisect.bisect_right(CHANGES_AT, now - pod.created)
    age = CHANGES_AT[passed - 1] if passed else 0.0
    state = _container(name, str(pod.named or pod.image.digest), pod.image.behaviour, age)
    if pod.restarts:
        state = replace(state, restarts=state.restarts + pod.restarts, terminated="Error")
    return replace(state, ready=False) if now < pod.unready_until else state


def _refused(name: str, pod: FakePod, age: float) -> Container:
    """A container whose image can't be pulled."""
    if age < STARTS_IN:
        return Container(name, waiting="ContainerCreating")
    if age < PULL_BACKS_OFF_AT:
        return Container(name, waiting="ErrImagePull", waiting_message=pod.refused)
    why = f'Back-off pulling image "{pod.reference}": ErrImagePull: {pod.refused}'
    return Container(name, waiting="ImagePullBackOff", waiting_message=why)


@functools.cache
def _container(name: str, digest: str, behaviour: Behaviour, age: float) -> Container:
    """The container at the last moment of its life at which anything changed."""
    if age < STARTS_IN:
        return Container(name, waiting="ContainerCreating")
    running = Container(name, image_id=f"elsewhere/app@{digest}")
    if behaviour is Behaviour.CRASHES:
        return _crashing(running, age, "Error", 1)
    if behaviour is Behaviour.OUT_OF_MEMORY:
        return _crashing(running, age, "OOMKilled", 137)
    died = behaviour is Behaviour.DIES_LATER and age >= DIES_AFTER
    hangs = behaviour is Behaviour.HANGS_LATER and age >= DIES_AFTER
    ready = replace(running, ready=behaviour is not Behaviour.NEVER_READY and not hangs)
    return replace(ready, restarts=1, terminated="Error", exit_code=1) if died else ready


def _crashing(running: Container, age: float, why: str, code: int) -> Container:
    restarts = max(sum(1 for each in RESTARTS_AT if age >= each) - 1, 0)
    return replace(
        running, waiting="CrashLoopBackOff", restarts=restarts, terminated=why, exit_code=code
    )

"""A Deployment with its ReplicaSets and pods, as they were seen at one moment."""

import re
from dataclasses import dataclass
from datetime import datetime

from slipway.domain.image import Digest
from slipway.domain.scheduling import ANYWHERE, Placement

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True)
class Container:
    """The container of a pod that the target names, as the kubelet reports it."""

    name: str
    ready: bool = False
    restarts: int = 0
    image_id: str = ""
    waiting: str = ""
    """The waiting reason, such as `ErrImagePull`; empty when it is not waiting."""
    waiting_message: str = ""
    terminated: str = ""
    """Why it ended, now or last time: `Error`, `OOMKilled`, `Completed`, `StartError`."""
    exit_code: int | None = None
    run_began: datetime | None = None
    """When the run began that ended so."""
    done: bool = False
    """Whether it has ended well, and is not to run again: an init container."""


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of the Deployment."""

    name: str
    replica_set: str
    ready: bool
    terminating: bool = False
    phase: str = "Running"
    containers: tuple[Container, ...] = ()
    """Init containers first, then the others."""
    unschedulable: str = ""
    """The scheduler's message; empty when the pod has a node."""
    changed: datetime | None = None
    """Since when it is as it is, by the cluster's clock: made, placed, begun, ready or not."""

    @property
    def over(self) -> bool:
        """Whether none of its containers will run again: evicted, say. It lies about until then.

        Its ReplicaSet has made another in its place (Kubernetes' documentation, Pod Lifecycle).
        """
        return self.phase in {"Failed", "Succeeded"}


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """One ReplicaSet of the Deployment, with the image of the target's container."""

    name: str
    revision: int
    image: str
    failure: str = ""
    """The message of its ReplicaFailure condition: a quota, a webhook."""


@dataclass(frozen=True, slots=True)
class Workloads:
    """A Deployment with its ReplicaSets and pods, all read at one moment."""

    name: str
    namespace: str
    image: str
    """The image that the pod template asks for in the target's container."""
    generation: int
    observed_generation: int
    replicas: int
    updated: int
    revision: int
    paused: bool = False
    deadline_exceeded: bool = False
    rolled_out: bool = False
    """Whether the controller has seen the rollout come to its end once (`NewReplicaSetAvailable`).

    It stays so whatever becomes of the pods (kubernetes pkg/controller/deployment/progress.go), and
    is not told where the Deployment has no progress deadline."""
    pull_secrets: tuple[str, ...] = ()
    service_account: str = "default"
    """Whose pull secrets the pods get when their template names none."""
    image_managers: tuple[str, ...] = ()
    """Field managers that own the container's image (metadata.managedFields)."""
    replicas_managers: tuple[str, ...] = ()
    owner_places: tuple[tuple[int, str], ...] = ()
    """Where in metadata.managedFields the managers stand that own image or replicas."""
    replica_sets: tuple[ReplicaSet, ...] = ()
    pods: tuple[Pod, ...] = ()
    pull_policy: str = ""
    """When a node pulls the image: `IfNotPresent`, `Always`, `Never`."""
    pull_policy_managers: tuple[str, ...] = ()
    """None where nobody has set it and the API server's default stands."""
    placement: Placement = ANYWHERE
    """Which nodes its pods may come to."""
    seen_at: datetime | None = None
    """When all this was read, by the clock of whoever read it."""

    def __str__(self) -> str:
        return f"Deployment {self.namespace}/{self.name}"


def running_digest(image_id: str) -> Digest | None:
    """The digest in a container status' imageID, whatever stands before it; None if it has none."""
    found = _DIGEST.search(image_id)
    return Digest(found.group()) if found else None

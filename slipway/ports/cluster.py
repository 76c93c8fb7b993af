"""Kubernetes: what runs, and how it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from slipway.domain.scheduling import Node
from slipway.domain.target import Workload
from slipway.domain.workloads import Workloads
from slipway.ports.images import PullCredentials


@dataclass(frozen=True, slots=True)
class PullSecret:
    """A pull secret that the pod template names; `credentials` is empty when it can't be read."""

    name: str
    exists: bool
    problem: str = ""
    """Why it can't be used although it exists: wrong type, not parsable."""
    credentials: tuple[PullCredentials, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """One answer of a pod's health path; status 0 means that it did not answer."""

    status: int
    body: str = ""

    @property
    def good(self) -> bool:
        """Whether the pod says it is well."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own success class


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a person needs to see of a failure, already without secrets."""

    pods: tuple[str, ...] = ()
    """One line a pod: phase, container states, restarts."""
    events: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    """The last lines of the container that failed."""


class Cluster(Protocol):
    """The Kubernetes cluster."""

    async def check(self) -> None:
        """`Unreachable` or `AccessDenied` unless the API server answers us."""

    async def observe(self, workload: Workload) -> Workloads | None:
        """The Deployment with its ReplicaSets and pods; None when there is none.

        `DeploymentUnfit` when the labels fit more than one, or when they fit only another kind.
        """

    async def pull_secrets(self, workloads: Workloads) -> Sequence[PullSecret]:
        """The pull secrets that the pod template names."""

    async def nodes(self) -> Sequence[Node]:
        """Every node, whatever keeps pods off it."""

    async def images(self) -> frozenset[str]:
        """Every image reference and image id in the whole cluster, of workloads of any kind.

        `AccessDenied` when any of them can't be listed: what can't be seen can't be protected.
        """

    async def health(self, workload: Workload, pod: str) -> Health:
        """Ask one pod's health path, through the API server's pod proxy."""

    async def evidence(self, workloads: Workloads, container: str, pod: str) -> Evidence:
        """What explains the state of `pod` (or of all pods when it is empty)."""

    async def restart(self, workload: Workload) -> None:
        """Replace the pods by new ones of the same template, as `kubectl rollout restart` does.

        Sent once: after a lost answer it is looked up whether it has arrived. `Unreachable` when it
        has not, `Unproven` when that can't be told.
        """

"""A cluster in memory: Deployments roll by the loop's clock, pods behave as their images say."""

import asyncio
import bisect
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pydantic import SecretStr

from slipway.domain.image import Digest, ImageReference
from slipway.domain.target import Workload
from slipway.domain.workloads import Container, Pod, ReplicaSet, Workloads
from slipway.errors import DeploymentUnfit
from slipway.ports import Evidence, Health, PullCredentials, PullSecret
from tests.fakes.faults import Faults
from tests.fakes.images import Behaviour, FakeImage, FakeRegistry

STARTS_IN = 1.0
TERMINATES_IN = 2.0
RESTARTS_AT = (1.0, 2.0, 12.0, 32.0)
"""Seconds after its start at which a crashing container has ended again: back-off 10 s, 20 s."""
DIES_AFTER = 6.0
CHANGES_AT = sorted({STARTS_IN, DIES_AFTER, *RESTARTS_AT})
"""Ages at which what the kubelet reports of a container may change."""
OURS = "pulumi-kubernetes"


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


@dataclass
class FakeDeployment:
    """A Deployment with a surge of one pod: old pods stay until new ones are ready."""

    namespace: str
    name: str
    container: str
    pull_secret: str = "ghcr-creds"
    labels: dict[str, str] = field(default_factory=dict)
    replicas: int = 1
    image: str = ""
    generation: int = 0
    paused: bool = False
    image_managers: tuple[str, ...] = (OURS,)
    replicas_managers: tuple[str, ...] = (OURS,)
    sets: list[ReplicaSet] = field(default_factory=list)
    pods: list[FakePod] = field(default_factory=list)

    @property
    def managers(self) -> list[str]:
        """Everybody who owns image or replicas, once."""
        return list(dict.fromkeys((*self.image_managers, *self.replicas_managers)))


@dataclass
class FakeCluster:
    """The `Cluster` port."""

    faults: Faults
    registry: FakeRegistry
    deployments: dict[tuple[str, str], FakeDeployment] = field(default_factory=dict)
    secrets: dict[str, PullSecret] = field(default_factory=dict)
    platforms: frozenset[str] = frozenset({"linux/amd64"})
    other_images: set[str] = field(default_factory=set)
    """Images of workloads of other kinds, or in other namespaces."""
    other_kinds: set[tuple[str, str]] = field(default_factory=set)

    def add_secret(self, name: str, host: str, user: str, password: str) -> None:
        """A pull secret, as Pulumi makes it."""
        credentials = PullCredentials(host, user, SecretStr(password))
        self.secrets[name] = PullSecret(name, exists=True, credentials=(credentials,))

    def set_image(self, deployment: FakeDeployment, image: str, manager: str = OURS) -> None:
        """Change the pod template: a new generation, a ReplicaSet, and pods that start."""
        if deployment.image == image:
            return
        deployment.image = image
        deployment.image_managers = (manager,)
        deployment.generation += 1
        revision = max((each.revision for each in deployment.sets), default=0) + 1
        known = next((each for each in deployment.sets if each.image == image), None)
        name = known.name if known else f"{deployment.name}-{revision}"
        deployment.sets = [each for each in deployment.sets if each.name != name]
        deployment.sets.append(ReplicaSet(name, revision, image))
        self._start_pods(deployment, name)

    def restart_pods(self, deployment: FakeDeployment) -> None:
        """Another template with the same image, as an annotation makes it."""
        revision = max(each.revision for each in deployment.sets) + 1
        name = f"{deployment.name}-{revision}"
        deployment.generation += 1
        deployment.sets.append(ReplicaSet(name, revision, deployment.image))
        self._start_pods(deployment, name)

    async def check(self) -> None:
        await self.faults.at("before", "cluster.check")

    async def observe(self, workload: Workload) -> Workloads | None:
        await self.faults.at("before", "cluster.observe")
        found = [each for each in self.deployments.values() if _fits(each, workload)]
        if len(found) > 1:
            names = ", ".join(each.name for each in found)
            raise DeploymentUnfit(f"{workload} fits {len(found)} Deployments: {names}")
        if not found:
            if (workload.namespace, workload.name) in self.other_kinds:
                raise DeploymentUnfit(f"{workload} is a StatefulSet: only Deployments")
            return None
        return self._snapshot(found[0])

    async def pull_secrets(self, workloads: Workloads) -> Sequence[PullSecret]:
        return [
            self.secrets.get(name, PullSecret(name, exists=False))
            for name in workloads.pull_secrets
        ]

    async def node_platforms(self) -> frozenset[str]:
        return self.platforms

    async def images(self) -> frozenset[str]:
        await self.faults.at("before", "cluster.images")
        found = set(self.other_images)
        for each in self.deployments.values():
            found |= {each.image, *(replica.image for replica in each.sets)}
            found |= {f"elsewhere/app@{pod.image.digest}" for pod in each.pods if pod.image}
        return frozenset(found)

    async def health(self, workload: Workload, pod: str) -> Health:
        del workload
        await self.faults.at("before", "cluster.health")
        for deployment in self.deployments.values():
            for each in deployment.pods:
                if each.name == pod and each.image is not None:
                    sick = each.image.behaviour is Behaviour.SICK
                    return Health(503, "not today") if sick else Health(200, "ok")
        return Health(0)

    async def evidence(self, workloads: Workloads, container: str, pod: str) -> Evidence:
        await self.faults.at("before", "cluster.evidence")
        lines = tuple(
            f"{each.name}: {part.waiting or part.terminated or 'running'}"
            for each in workloads.pods
            for part in each.containers
        )
        return Evidence(lines, (f"Warning BackOff {pod}",), (f"last words of {container}",))

    async def restart(self, workload: Workload) -> None:
        await self.faults.at("before", "cluster.restart")
        [found] = [each for each in self.deployments.values() if _fits(each, workload)]
        self.restart_pods(found)

    def settle(self, deployment: FakeDeployment) -> None:
        """Let old pods go once the new ones are ready, as the Deployment controller does."""
        now = asyncio.get_running_loop().time()
        current = deployment.sets[-1].name if deployment.sets else ""
        fresh = [
            pod for pod in deployment.pods if pod.replica_set == current and pod.deleted is None
        ]
        if len([pod for pod in fresh if _state(pod, now).ready]) >= deployment.replicas:
            for pod in deployment.pods:
                if pod.replica_set != current and pod.deleted is None:
                    pod.deleted = now
        deployment.pods = [
            pod
            for pod in deployment.pods
            if pod.deleted is None or now - pod.deleted < TERMINATES_IN
        ]

    def is_ready(self, deployment: FakeDeployment) -> bool:
        """Whether a rollout has ended well, as Pulumi's await sees it."""
        self.settle(deployment)
        now = asyncio.get_running_loop().time()
        name = deployment.sets[-1].name
        ready = [
            pod
            for pod in deployment.pods
            if pod.replica_set == name and pod.deleted is None and _state(pod, now).ready
        ]
        return len(ready) >= deployment.replicas

    def _start_pods(self, deployment: FakeDeployment, replica_set: str) -> None:
        self.settle(deployment)
        now = asyncio.get_running_loop().time()
        for pod in deployment.pods:
            if pod.replica_set != replica_set and not _state(pod, now).ready:
                pod.deleted = pod.deleted or now
        there = [
            pod for pod in deployment.pods if pod.replica_set == replica_set and pod.deleted is None
        ]
        reference = ImageReference.parse(deployment.image)
        refused = self._pull(deployment, reference)
        image = None if refused else self.registry.held(reference)
        for number in range(len(there), deployment.replicas):
            name = f"{replica_set}-{deployment.generation}-{number}"
            deployment.pods.append(FakePod(name, replica_set, reference, image, refused, now))

    def _pull(self, deployment: FakeDeployment, reference: ImageReference) -> str:
        held = self.registry.held(reference)
        if held is None or held.missing:
            return f"failed to resolve {reference}: not found"
        secret = self.secrets.get(deployment.pull_secret)
        for each in secret.credentials if secret else ():
            if self.registry.passwords.get(each.username) == each.password.get_secret_value():
                return ""
        return "failed to authorize: 401 Unauthorized"

    def _snapshot(self, deployment: FakeDeployment) -> Workloads:
        self.settle(deployment)
        now = asyncio.get_running_loop().time()
        pods = tuple(_shows(pod, now, deployment.container) for pod in deployment.pods)
        current = deployment.sets[-1].name if deployment.sets else ""
        return Workloads(
            deployment.name,
            deployment.namespace,
            deployment.image,
            deployment.generation,
            deployment.generation,
            deployment.replicas,
            len([pod for pod in pods if pod.replica_set == current and not pod.terminating]),
            deployment.sets[-1].revision if deployment.sets else 0,
            paused=deployment.paused,
            pull_secrets=(deployment.pull_secret,),
            image_managers=deployment.image_managers,
            replicas_managers=deployment.replicas_managers,
            owner_places=tuple(enumerate(deployment.managers)),
            replica_sets=tuple(deployment.sets),
            pods=pods,
        )


def _fits(deployment: FakeDeployment, workload: Workload) -> bool:
    if deployment.namespace != workload.namespace:
        return False
    if workload.name:
        return deployment.name == workload.name
    return all(deployment.labels.get(key) == value for key, value in workload.labels)


def _shows(pod: FakePod, now: float, container: str = "app") -> Pod:
    """What the kubelet reports of a pod at this moment."""
    state = _state(pod, now, container)
    return Pod(pod.name, pod.replica_set, state.ready, pod.deleted is not None, containers=(state,))


def _state(pod: FakePod, now: float, name: str = "app") -> Container:
    if pod.image is None:
        return Container(name, waiting="ErrImagePull", waiting_message=pod.refused)
    passed = bisect.bisect_right(CHANGES_AT, now - pod.created)
    age = CHANGES_AT[passed - 1] if passed else 0.0
    state = _container(name, str(pod.named or pod.image.digest), pod.image.behaviour, age)
    if pod.restarts:
        state = replace(state, restarts=state.restarts + pod.restarts, terminated="Error")
    return replace(state, ready=False) if now < pod.unready_until else state


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
    ready = replace(running, ready=behaviour is not Behaviour.NEVER_READY)
    return replace(ready, restarts=1, terminated="Error", exit_code=1) if died else ready


def _crashing(running: Container, age: float, why: str, code: int) -> Container:
    restarts = max(sum(1 for each in RESTARTS_AT if age >= each) - 1, 0)
    return replace(
        running, waiting="CrashLoopBackOff", restarts=restarts, terminated=why, exit_code=code
    )

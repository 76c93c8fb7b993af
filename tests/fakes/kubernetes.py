"""A cluster in memory: Deployments roll by the loop's clock."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import SecretStr

from slipway.domain.image import ImageReference
from slipway.domain.rollout import BACKING_OFF, PULL_REASONS
from slipway.domain.scheduling import ANYWHERE, Node, Placement
from slipway.domain.target import Workload
from slipway.domain.workloads import Container, Pod, ReplicaSet, Workloads
from slipway.errors import DeploymentUnfit
from slipway.ports import Evidence, Health, PullCredentials, PullSecret
from tests.fakes.faults import Faults
from tests.fakes.images import Behaviour, FakeRegistry
from tests.fakes.pods import TERMINATES_IN, FakePod, shows, state_of
from tests.fakes.restrictions import EPOCH

OURS = "pulumi-kubernetes"
ARCH = "kubernetes.io/arch"


@dataclass
class FakeDeployment:
    """A Deployment with a surge of one pod: old pods stay until new ones are ready."""

    namespace: str
    name: str
    container: str
    pull_secrets: tuple[str, ...] = ("ghcr-creds",)
    placement: Placement = ANYWHERE
    labels: dict[str, str] = field(default_factory=dict)
    replicas: int = 1
    image: str = ""
    restarted: int = 0
    """The template's annotation that a restart writes; it stays when the image changes."""
    generation: int = 0
    observed_generation: int = 0
    paused: bool = False
    progress_within: float = 600.0
    rolled_at: float = 0.0
    """When the controller has begun with the newest template."""
    complete: bool = False
    """Whether that has come to its end once; pods that lose readiness later don't undo it."""
    image_managers: tuple[str, ...] = (OURS,)
    replicas_managers: tuple[str, ...] = (OURS,)
    sets: list[ReplicaSet] = field(default_factory=list)
    """In the order of their revisions."""
    restarts: dict[str, int] = field(default_factory=dict)
    """The annotation in each ReplicaSet's template; 0 where it has none."""
    pods: list[FakePod] = field(default_factory=list)

    @property
    def managers(self) -> list[str]:
        """Everybody who owns image or replicas, once."""
        return list(dict.fromkeys((*self.image_managers, *self.replicas_managers)))

    @property
    def current(self) -> ReplicaSet | None:
        """The ReplicaSet of the template as it is now; None while there is none."""
        newest = self.sets[-1] if self.sets else None
        return newest if newest is not None and self.has_template(newest) else None

    def has_template(self, replica_set: ReplicaSet) -> bool:
        """Whether a ReplicaSet's template is the Deployment's."""
        restarted = self.restarts.get(replica_set.name, 0)
        return (replica_set.image, restarted) == (self.image, self.restarted)

    def of(self, replica_set: ReplicaSet) -> list[FakePod]:
        """The pods of one ReplicaSet that nobody has told to end."""
        return [
            pod for pod in self.pods if pod.replica_set == replica_set.name and pod.deleted is None
        ]


@dataclass
class FakeCluster:
    """The `Cluster` port."""

    faults: Faults
    registry: FakeRegistry
    deployments: dict[tuple[str, str], FakeDeployment] = field(default_factory=dict)
    secrets: dict[str, PullSecret] = field(default_factory=dict)
    account_secrets: tuple[str, ...] = ()
    """The pull secrets of the service account, for templates that name none."""
    nodes_have_credentials: bool = False
    """Whether nodes pull without any secret, as k3s' registries.yaml lets them."""
    controller_sleeps: bool = False
    """Whether nobody acts on what is asked of Deployments."""
    platforms: frozenset[str] = frozenset({"linux/amd64"})
    """Each of a node that is like all others of its kind."""
    special_nodes: list[Node] = field(default_factory=list)
    other_images: set[str] = field(default_factory=set)
    """Images of workloads of other kinds, or in other namespaces."""
    other_kinds: set[tuple[str, str]] = field(default_factory=set)

    def add_secret(self, name: str, host: str, user: str, password: str) -> None:
        """A pull secret, as Pulumi makes it."""
        credentials = PullCredentials(host, user, SecretStr(password))
        self.secrets[name] = PullSecret(name, exists=True, credentials=(credentials,))

    def set_image(self, deployment: FakeDeployment, image: str, manager: str = OURS) -> None:
        """Change the pod template; whoever sets the value that is there owns it too."""
        if deployment.image == image:
            owners = (*deployment.image_managers, manager)
            deployment.image_managers = tuple(dict.fromkeys(owners))
            return
        self.settle(deployment)
        deployment.image = image
        deployment.image_managers = (manager,)
        deployment.generation += 1
        self.settle(deployment)

    def conflict(self, deployment: FakeDeployment, image: str) -> str:
        """Why the API server refuses a server-side apply of this image; empty when it does not."""
        others = [each for each in deployment.image_managers if each != OURS]
        if not others or image == deployment.image:
            return ""
        return f"Apply failed with 1 conflict: conflict with {others[0]}: .spec.template"

    def restart_pods(self, deployment: FakeDeployment) -> None:
        """Another template with the same image, as an annotation makes it."""
        self.settle(deployment)
        deployment.restarted += 1
        deployment.generation += 1
        self.settle(deployment)

    def scale(self, deployment: FakeDeployment, replicas: int) -> None:
        """Ask for more or fewer pods."""
        self.settle(deployment)
        deployment.generation += deployment.replicas != replicas
        deployment.replicas, deployment.replicas_managers = replicas, (OURS,)
        self.settle(deployment)

    def scale_by_hand(
        self, deployment: FakeDeployment, replicas: int, manager: str = "kubectl"
    ) -> None:
        """`kubectl scale`, or an autoscaler: with zero on its way left out, nobody owns it."""
        self.scale(deployment, replicas)
        deployment.replicas_managers = (manager,) if replicas else ()

    def pause(self, deployment: FakeDeployment, *, paused: bool) -> None:
        """Let no change of the template reach the pods, or let it again."""
        deployment.generation += deployment.paused != paused
        deployment.paused = paused
        self.settle(deployment)

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
                raise DeploymentUnfit(
                    f"StatefulSet {workload.namespace}/{workload.name}: no Deployment"
                )
            return None
        return self._snapshot(found[0])

    async def pull_secrets(self, workloads: Workloads) -> Sequence[PullSecret]:
        return [
            self.secrets.get(name, PullSecret(name, exists=False))
            for name in workloads.pull_secrets or self.account_secrets
        ]

    async def nodes(self) -> Sequence[Node]:
        plain = [
            Node(each, each, dict(zip(("kubernetes.io/os", ARCH), each.split("/"), strict=True)))
            for each in sorted(self.platforms)
        ]
        return [*plain, *self.special_nodes]

    async def images(self) -> frozenset[str]:
        await self.faults.at("before", "cluster.images")
        found = set(self.other_images)
        for each in self.deployments.values():
            found |= {each.image, *(replica.image for replica in each.sets)}
            pods = self._snapshot(each).pods
            found |= {part.image_id for pod in pods for part in pod.containers if part.image_id}
        return frozenset(found)

    async def health(self, workload: Workload, pod: str) -> Health:
        del workload
        await self.faults.at("before", "cluster.health")
        now = asyncio.get_running_loop().time()
        pods = [each for found in self.deployments.values() for each in found.pods]
        asked = next((each for each in pods if each.name == pod), None)
        if asked is None:
            return Health(404, f"pods {pod} not found")
        state = state_of(asked, now)
        if asked.image is None or not state.image_id or state.waiting:
            return Health(503, "error trying to reach service: connection refused")
        sick = asked.image.behaviour is Behaviour.SICK
        return Health(503, "not today") if sick else Health(200, "ok")

    async def evidence(self, workloads: Workloads, container: str, pod: str) -> Evidence:
        await self.faults.at("before", "cluster.evidence")
        shown = [each for each in workloads.pods if pod in {"", each.name}]
        parts = [(each, part) for each in shown for part in each.containers]
        ran = any(part.image_id for each, part in parts[:1] if part.name == container)
        return Evidence(
            tuple(
                f"{each.name}: {part.waiting or part.terminated or 'running'}"
                for each, part in parts
            ),
            tuple(event for each, part in parts for event in _events(each, part)),
            (f"last words of {container}",) if ran else (),
        )

    async def restart(self, workload: Workload) -> None:
        await self.faults.at("before", "cluster.restart")
        found = [each for each in self.deployments.values() if _fits(each, workload)]
        if not found:
            raise DeploymentUnfit(f"there is no {workload}")
        self.restart_pods(found[0])

    def settle(self, deployment: FakeDeployment) -> None:
        """What the Deployment controller has done by now."""
        now = asyncio.get_running_loop().time()
        if not self.controller_sleeps:
            deployment.observed_generation = deployment.generation
            if deployment.image and not deployment.paused:
                self._roll(deployment, now)
            self._fill(deployment, now)
            _let_go(deployment, now)
        deployment.pods = [
            pod
            for pod in deployment.pods
            if pod.deleted is None or now - pod.deleted < TERMINATES_IN
        ]

    def is_ready(self, deployment: FakeDeployment) -> bool:
        """Whether a rollout has ended well, as Pulumi's await sees it."""
        self.settle(deployment)
        return _is_up(deployment, asyncio.get_running_loop().time())

    def _roll(self, deployment: FakeDeployment, now: float) -> None:
        """Give the template a ReplicaSet: one that had it before, with a new revision, or another.

        Of the old pods that are not ready, those go first that are more than may be missing.
        """
        if deployment.current is not None:
            return
        revision = max((each.revision for each in deployment.sets), default=0) + 1
        known = next((each for each in deployment.sets if deployment.has_template(each)), None)
        name = known.name if known else f"{deployment.name}-{revision}"
        deployment.sets = [each for each in deployment.sets if each.name != name]
        deployment.sets.append(ReplicaSet(name, revision, deployment.image))
        deployment.restarts[name] = deployment.restarted
        deployment.rolled_at, deployment.complete = now, False
        old = [p for p in deployment.pods if p.replica_set != name and p.deleted is None]
        unready = [pod for pod in old if not state_of(pod, now).ready]
        for pod in unready[: max(len(old) - deployment.replicas, 0)]:
            pod.deleted = now

    def _fill(self, deployment: FakeDeployment, now: float) -> None:
        """Start the pods that the newest ReplicaSet lacks, or end those that it has too many."""
        if not deployment.sets:
            return
        newest = deployment.sets[-1]
        there = deployment.of(newest)
        for pod in there[deployment.replicas :]:
            pod.deleted = now
        if len(there) >= deployment.replicas:
            return
        reference = ImageReference.parse(newest.image)
        refused = self._pull(deployment, reference)
        image = None if refused else self.registry.held(reference)
        for number in range(len(there), deployment.replicas):
            name = f"{newest.name}-{deployment.generation}-{number}"
            deployment.pods.append(FakePod(name, newest.name, reference, image, refused, now))

    def _pull(self, deployment: FakeDeployment, reference: ImageReference) -> str:
        held = self.registry.held(reference)
        if held is None or held.missing:
            return f"failed to resolve {reference}: not found"
        if self.nodes_have_credentials:
            return ""
        for name in deployment.pull_secrets or self.account_secrets:
            secret = self.secrets.get(name)
            for each in secret.credentials if secret else ():
                if self.registry.passwords.get(each.username) == each.password.get_secret_value():
                    return ""
        return "failed to authorize: 401 Unauthorized"

    def _snapshot(self, deployment: FakeDeployment) -> Workloads:
        self.settle(deployment)
        now = asyncio.get_running_loop().time()
        pods = tuple(shows(pod, now, deployment.container) for pod in deployment.pods)
        current = deployment.current
        late = now - deployment.rolled_at >= deployment.progress_within
        return Workloads(
            deployment.name,
            deployment.namespace,
            deployment.image,
            deployment.generation,
            deployment.observed_generation,
            deployment.replicas,
            len(deployment.of(current)) if current else 0,
            deployment.sets[-1].revision if deployment.sets else 0,
            paused=deployment.paused,
            deadline_exceeded=late and not deployment.complete and not deployment.paused,
            rolled_out=deployment.complete and not deployment.paused,
            pull_secrets=deployment.pull_secrets,
            image_managers=deployment.image_managers,
            replicas_managers=deployment.replicas_managers,
            owner_places=tuple(enumerate(deployment.managers)),
            replica_sets=tuple(deployment.sets),
            pods=pods,
            placement=deployment.placement,
            seen_at=EPOCH + timedelta(seconds=now),
        )


def _fits(deployment: FakeDeployment, workload: Workload) -> bool:
    if deployment.namespace != workload.namespace:
        return False
    if workload.name:
        return deployment.name == workload.name
    return all(deployment.labels.get(key) == value for key, value in workload.labels)


def _let_go(deployment: FakeDeployment, now: float) -> None:
    """End the old pods once the new ones are ready."""
    if not _is_up(deployment, now):
        return
    deployment.complete = True
    for pod in deployment.pods:
        if pod.replica_set != deployment.sets[-1].name and pod.deleted is None:
            pod.deleted = now


def _is_up(deployment: FakeDeployment, now: float) -> bool:
    """Whether as many pods of the template as are asked for are ready."""
    current = deployment.current
    if current is None:
        return False
    ready = [pod for pod in deployment.of(current) if state_of(pod, now).ready]
    return len(ready) >= deployment.replicas


def _events(pod: Pod, part: Container) -> list[str]:
    """What the kubelet has told of a container in trouble."""
    if part.waiting in PULL_REASONS:
        return [f"Warning Failed: Error: {part.waiting}", f"Warning BackOff: {pod.name}"]
    return [f"Warning BackOff: {pod.name}"] if part.waiting == BACKING_OFF else []

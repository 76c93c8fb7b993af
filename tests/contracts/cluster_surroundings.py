"""A cluster as its contract speaks of it: what runs there, and who changes it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from slipway.domain.image import Digest
from slipway.domain.rollout import Expectation, Judgement, Verdict, Watch, judge
from slipway.domain.scheduling import ANYWHERE, Node, Placement
from slipway.domain.target import Workload
from slipway.domain.workloads import Workloads
from slipway.ports import Cluster

CONTAINER = "app"
OURS = "pulumi-kubernetes"
BY_HAND = "kubectl-set"
AUTOSCALER = "kube-controller-manager"


class Runs(StrEnum):
    """What a container does that was started from an image of this name."""

    GOOD = "good"
    BETTER = "better"
    SICK = "sick"
    NEVER_READY = "never-ready"
    HANGS_LATER = "hangs-later"
    CRASHES = "crashes"
    OUT_OF_MEMORY = "out-of-memory"
    ABSENT = "absent"


@dataclass(frozen=True)
class Wish:
    """A Deployment as somebody asks for it."""

    runs: Runs = Runs.GOOD
    replicas: int = 1
    paused: bool = False
    progress_within: int = 600
    pull_secrets: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    placement: Placement = ANYWHERE


class Conflict(Exception):
    """An update asks for another value of a field that somebody else owns."""


class Surroundings(ABC):
    """A cluster, and how to change it behind the port's back."""

    cluster: Cluster
    accepted: frozenset[Digest]
    """What any running container of these images may report."""

    @abstractmethod
    def workload(self, name: str) -> Workload:
        """Where a Deployment of this test is; the names of other tests are others."""

    @abstractmethod
    def reference(self, runs: Runs) -> str:
        """The image that behaves so."""

    @abstractmethod
    def apply(self, name: str, wish: Wish) -> None:
        """What an update of Pulumi's asks for; `Conflict` when the API server refuses it."""

    @abstractmethod
    def set_image_by_hand(self, name: str, runs: Runs) -> None:
        """`kubectl set image`."""

    @abstractmethod
    def scale_by_hand(self, name: str, replicas: int) -> None:
        """`kubectl scale`."""

    @abstractmethod
    def autoscale(self, name: str, replicas: int) -> None:
        """What a HorizontalPodAutoscaler does: an update of the subresource `scale`."""

    @abstractmethod
    def add_pull_secret(self, name: str, user: str, password: str) -> str:
        """A pull secret for ghcr.io; its full name."""

    @abstractmethod
    def give_account(self, pull_secret: str) -> None:
        """The pull secret of the service account that pods have by default."""

    @abstractmethod
    def add_node(self, node: Node) -> str:
        """A node on which nothing runs yet; its full name."""

    @abstractmethod
    def add_stateful_set(self, name: str) -> None:
        """A workload of another kind."""

    @abstractmethod
    def stop_controller(self) -> None:
        """Nobody acts on Deployments any more, though they can be written."""

    @abstractmethod
    def continue_controller(self) -> None:
        """Somebody does again."""

    async def seen(self, name: str) -> Workloads:
        found = await self.cluster.observe(self.workload(name))
        assert found is not None
        return found

    async def applied(self, name: str, wish: Wish) -> Judgement:
        """Applied, and proven."""
        self.apply(name, wish)
        return (await self.watched(name, Verdict.PROVEN))[-1][1]

    async def watched(self, name: str, wanted: Verdict) -> list[tuple[Workloads, Judgement]]:
        """All that is seen, watching a rollout as verify does, until it has this verdict."""
        loop, watch, told = asyncio.get_running_loop(), Watch(), list[tuple[Workloads, Judgement]]()
        deadline = loop.time() + 60
        while not told or told[-1][1].verdict is not wanted:
            assert loop.time() < deadline, told[-1]
            observed = await self.seen(name)
            expected = Expectation(observed.image, self.accepted, CONTAINER)
            watch, judgement = judge(expected, watch, observed, loop.time())
            told.append((observed, judgement))
            await asyncio.sleep(0.1)
        return told

    async def until(self, name: str, wanted: Callable[[Workloads], bool]) -> Workloads:
        """What is seen at the first moment at which it is as wanted."""
        async with asyncio.timeout(60):
            while not wanted(observed := await self.seen(name)):  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.1)
        return observed

"""The cluster in memory keeps what the real one does."""

import pytest

from slipway.domain.image import Digest, ImageReference
from slipway.domain.scheduling import Node
from slipway.domain.target import Workload
from slipway.ports import Cluster
from tests.contracts.cluster import ClusterContract
from tests.contracts.cluster_surroundings import (
    AUTOSCALER,
    BY_HAND,
    CONTAINER,
    Conflict,
    Runs,
    Surroundings,
    Wish,
)
from tests.fakes.faults import Faults
from tests.fakes.images import FakeRegistry, make_image
from tests.fakes.kubernetes import FakeCluster, FakeDeployment

REPOSITORY = "ghcr.io/acme/shop/web"


class InMemory(Surroundings):
    def __init__(self) -> None:
        self._registry = FakeRegistry(Faults())
        self.accepted: frozenset[Digest] = frozenset()
        for runs in set(Runs) - {Runs.ABSENT}:
            image = make_image(runs, {})
            self._registry.put(REPOSITORY, runs, image)
            self.accepted |= image.accepted
        self._fake = FakeCluster(Faults(), self._registry)
        self._fake.add_secret("ghcr-creds", "ghcr.io", "puller", "pull-password")
        self._fake.account_secrets = ("ghcr-creds",)
        self.cluster: Cluster = self._fake

    def workload(self, name: str) -> Workload:
        return Workload("apps", CONTAINER, name)

    def reference(self, runs: Runs) -> str:
        return str(ImageReference(REPOSITORY, runs))

    def apply(self, name: str, wish: Wish) -> None:
        made = FakeDeployment("apps", name, CONTAINER)
        found = self._fake.deployments.setdefault(("apps", name), made)
        if why := self._fake.conflict(found, self.reference(wish.runs)):
            raise Conflict(why)
        found.pull_secrets, found.labels = wish.pull_secrets, dict(wish.labels)
        found.progress_within, found.placement = wish.progress_within, wish.placement
        self._fake.scale(found, wish.replicas)
        self._fake.pause(found, paused=wish.paused)
        self._fake.set_image(found, self.reference(wish.runs))

    def set_image_by_hand(self, name: str, runs: Runs) -> None:
        self._fake.set_image(self._deployment(name), self.reference(runs), BY_HAND)

    def scale_by_hand(self, name: str, replicas: int) -> None:
        self._fake.scale_by_hand(self._deployment(name), replicas)

    def autoscale(self, name: str, replicas: int) -> None:
        self._fake.scale_by_hand(self._deployment(name), replicas, AUTOSCALER)

    def add_pull_secret(self, name: str, user: str, password: str) -> str:
        self._fake.add_secret(name, "ghcr.io", user, password)
        return name

    def give_account(self, pull_secret: str) -> None:
        self._fake.account_secrets = (pull_secret,)

    def add_node(self, node: Node) -> str:
        self._fake.special_nodes.append(node)
        return node.name

    def add_stateful_set(self, name: str) -> None:
        self._fake.other_kinds.add(("apps", name))

    def stop_controller(self) -> None:
        self._fake.controller_sleeps = True

    def continue_controller(self) -> None:
        self._fake.controller_sleeps = False

    def _deployment(self, name: str) -> FakeDeployment:
        return self._fake.deployments["apps", name]


class TestInMemory(ClusterContract):
    @pytest.fixture
    async def here(self) -> Surroundings:
        return InMemory()

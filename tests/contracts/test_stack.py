"""The stack in memory keeps what the real one does."""

import asyncio
from pathlib import Path

import pytest

from slipway.domain.commit import Commit
from slipway.ports import Processes, ProgramRevision, Stack
from tests.contracts.stack import StackContract, Surroundings
from tests.fakes.world import World, reference_of


class InMemory:
    """The fakes' world after somebody's hand."""

    def __init__(self) -> None:
        world = World.seeded()
        world.publish("second")
        self.world = world
        self.stack: Stack = world.stack
        self.processes: Processes = world.ports().processes
        self.urn, self.container = world.resources[0].urn, world.deployment.container
        self.good = world.value or ""
        self.better = reference_of(world, "second")
        world.resources[1].sets_replicas = False
        self.absent = self.better[:-1] + ("0" if self.better[-1] != "0" else "1")

    async def pin(self, image: str) -> int:
        self.world.config.edit("slipway", adapterImage=image)
        return self.world.config.latest.number

    def at(self, revision: int, value: str | None = None, only: str = "") -> ProgramRevision:
        return ProgramRevision(Path(), Commit("c" * 40), revision, value, only)

    def asked_for(self) -> str:
        return self.world.deployment.image

    async def kill_update(self) -> None:
        [update] = self.world.running
        update.lose_power()

    async def expire_lease(self) -> None:
        [update] = self.world.running
        update.ends = asyncio.get_running_loop().time()


class TestInMemory(StackContract):
    @pytest.fixture
    async def here(self) -> Surroundings:
        return InMemory()

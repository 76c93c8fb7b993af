"""A restart of the pods, which is no release: it too acts only while the stack is its own."""

import asyncio

import pytest

from flows import deploy
from flows.restart import restart
from slipway.domain.release import State
from slipway.errors import LeaseLost
from tests.fakes.processes import gated
from tests.fakes.world import World, deploy_request


async def test_a_restart_that_was_stopped_past_its_lease_restarts_nothing() -> None:
    """It goes on in the middle of the update of whoever has the stack by then."""
    world = World.seeded()
    mine, another = world.process("restart"), world.process("deploy")
    stopped = asyncio.Event()

    async def stop() -> None:
        mine.stop()
        stopped.set()
        await mine.breathe()

    async def resume() -> None:
        mine.resume()
        await asyncio.sleep(3)

    world.faults.before("cluster.observe", stop)
    restarting = mine.start(restart(gated(world.ports())))
    await stopped.wait()
    world.faults.before("stack.server-side-apply", resume)
    request = deploy_request(world.commits["second"].sha)
    outcome = await another.start(deploy.release(gated(world.ports()), request))

    with pytest.raises(LeaseLost):
        await restarting
    assert outcome.state is State.LIVE, outcome.release.reason
    assert "cluster.restart" not in world.faults.effects

"""A deploy whose machine stops at a chosen effect."""

import asyncio

from flows import deploy
from tests.fakes.processes import gated
from tests.fakes.world import World, deploy_request


async def dead(world: World, name: str, moment: str, effect: str) -> None:
    """The machine stops at an effect: nothing of the process and its children ever runs on."""
    stopped = asyncio.Event()
    process = world.process("deploy")

    async def die() -> None:
        process.lose_power()
        stopped.set()
        await process.breathe()

    register = world.faults.before if moment == "before" else world.faults.after
    register(effect, die)
    request = deploy_request(world.commits[name].sha)
    process.start(deploy.release(gated(world.ports()), request))
    await stopped.wait()

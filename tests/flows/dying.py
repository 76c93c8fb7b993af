"""A deploy, a rollback or a recovery whose machine stops at a chosen effect."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from flows import deploy, recover, rollback
from slipway.ports import Ports
from tests.fakes.processes import gated
from tests.fakes.world import World, deploy_request, rollback_request


async def dead(world: World, name: str, moment: str, effect: str) -> None:
    """The machine of a deploy stops at an effect: nothing of it and its children ever runs on."""
    request = deploy_request(world.commits[name].sha)
    await _dies(world, moment, effect, lambda ports: deploy.release(ports, request))


async def dead_rollback(world: World, name: str, moment: str, effect: str) -> None:
    """The machine of a rollback stops at an effect."""
    request = rollback_request(world.commits[name].sha)
    await _dies(world, moment, effect, lambda ports: rollback.release(ports, request))


async def dead_recovery(world: World, moment: str, effect: str) -> None:
    """The machine of a recovery stops at an effect."""
    await _dies(world, moment, effect, recover.finish_all)


async def _dies(
    world: World, moment: str, effect: str, story: Callable[[Ports], Coroutine[Any, Any, object]]
) -> None:
    stopped = asyncio.Event()
    process = world.process("mortal")

    async def die() -> None:
        process.lose_power()
        stopped.set()
        await process.breathe()

    register = world.faults.before if moment == "before" else world.faults.after
    register(effect, die)
    process.start(story(gated(world.ports())))
    await stopped.wait()

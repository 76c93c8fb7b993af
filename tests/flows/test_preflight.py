"""The preflight: everything is looked at, and nothing waits for something else."""

import asyncio

from slipway.domain.release import Options
from slipway.errors import Unreachable
from slipway.tasks.preflight import check_all
from tests.fakes.faults import raising
from tests.fakes.world import World


async def test_a_slow_system_does_not_make_the_others_wait_for_their_turn() -> None:
    world = World.seeded()
    for effect in ("cluster.check", "stack.check"):
        world.faults.before(effect, lambda: asyncio.sleep(5))
    began = asyncio.get_running_loop().time()

    checks = await check_all(world.ports(), Options())

    assert all(each.good for each in checks)
    assert asyncio.get_running_loop().time() - began == 5


async def test_a_system_that_is_gone_hides_no_other_check() -> None:
    world = World.seeded()
    world.faults.before("cluster.check", raising(Unreachable("the API server is gone")))
    world.faults.before("stack.check", raising(Unreachable("Pulumi is gone")))

    checks = await check_all(world.ports(), Options())

    assert [str(each.error) for each in checks if not each.good] == [
        "the API server is gone",
        "Pulumi is gone",
    ]
    assert "the registry answers" in {each.name for each in checks if each.good}

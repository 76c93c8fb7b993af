"""Where what is deployed stands in git, also where many commits wait."""

from slipway.domain.auditing.picture import Holdings, Memory
from slipway.tasks.asking import Together
from slipway.tasks.lineage import find_lineage
from tests.fakes.world import World


async def test_every_commit_that_waits_is_counted_and_the_oldest_is_the_oldest() -> None:
    """More of them than a page of a list would hold."""
    world = World.seeded()
    for number in range(130):
        world.git.commit(f"later {number}", {"adapter/app.py": f"good {1000 + number}"})
    seen = await world.cluster.observe(world.target.workload)

    async with Together() as together:
        found = await find_lineage(world.ports(), together, seen, Holdings(), Memory())

    assert found.pending[-1].commit == world.commits["second"]
    assert len(found.pending) > 130

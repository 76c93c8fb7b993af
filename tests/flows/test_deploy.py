"""Deploying: what ends live, what is refused, what is restored."""

from flows import deploy
from slipway.domain.release import State
from tests.fakes.world import World, deploy_request, reference_of, summary


async def test_a_good_commit_ends_live_and_every_place_agrees() -> None:
    world = World.seeded()

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.LIVE, outcome.release.reason
    wanted = reference_of(world, "second")
    assert world.value == wanted
    assert world.resources[0].recorded == wanted
    assert world.deployment.image == wanted
    assert world.runs() == {world.digest_of("second")}


async def test_one_that_crashes_is_restored() -> None:
    world = World.seeded()

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["crashing"].sha))

    assert summary(outcome) == "restored: disproven", outcome.release.reason

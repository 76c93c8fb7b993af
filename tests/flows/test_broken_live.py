"""The day for which there is a rollback: what was proven live breaks by itself, hours later."""

import asyncio
from dataclasses import replace

import pytest

from flows.deploy import release as deploy
from flows.drilling import drill
from flows.rollback import release as roll_back
from slipway.domain.commit import Commit
from slipway.domain.drill import Result
from slipway.domain.release import State
from slipway.tasks.candidates import list_candidates
from tests.fakes.images import Behaviour
from tests.fakes.world import World, deploy_request, rollback_request, summary
from tests.flows.test_audit import look


async def broken(how: Behaviour) -> World:
    """Every pod of `third` does so since, as where its data grew."""
    world = World.seeded()
    for name in ("second", "third"):
        outcome = await deploy(world.ports(), deploy_request(world.commits[name].sha))
        assert outcome.state is State.LIVE, outcome.release.reason
        await asyncio.sleep(60)
    world.change_image("third", behaviour=how)
    for pod in world.deployment.pods:
        assert pod.image is not None
        pod.image = replace(pod.image, behaviour=how)
    await asyncio.sleep(300)
    assert world.runs() == set()
    return world


def gone(world: World, name: str) -> None:
    digest = world.digest_of(name)
    assert digest is not None
    world.registry.delete(world.target.service.repository, digest)


async def default_of(world: World) -> list[Commit]:
    return [
        each.commit for each in (await list_candidates(world.ports())).listed if each.is_default
    ]


BROKEN = [Behaviour.CRASHES, Behaviour.OUT_OF_MEMORY, Behaviour.NEVER_READY]


@pytest.mark.parametrize("how", BROKEN)
async def test_a_rollback_goes_to_what_was_live_before_what_has_broken(how: Behaviour) -> None:
    world = await broken(how)

    outcome = await roll_back(world.ports(), rollback_request())

    assert outcome.state is State.LIVE, outcome.release.reason
    assert outcome.release.commit == world.commits["second"]
    assert world.runs() == {world.digest_of("second")}


@pytest.mark.parametrize("how", BROKEN)
async def test_list_and_drill_name_the_commit_to_which_the_rollback_then_goes(
    how: Behaviour,
) -> None:
    world = await broken(how)

    default, drilled = await default_of(world), await drill(world.ports())
    outcome = await roll_back(world.ports(), rollback_request())

    assert default == [drilled.to] == [outcome.release.commit] == [world.commits["second"]]
    assert drilled.result is Result.WORKS, drilled.why


async def test_what_has_broken_is_not_counted_among_the_ways_back_that_are_left() -> None:
    world = await broken(Behaviour.CRASHES)
    for name in ("first", "second"):
        gone(world, name)

    assert "IMG012" in {each.rule for each in (await look(world)).findings}


async def test_what_has_broken_is_no_way_back_from_a_later_deploy_either() -> None:
    world = await broken(Behaviour.CRASHES)
    await roll_back(world.ports(), rollback_request())
    fourth = world.git.commit("fourth", {"adapter/app.py": "good 4"})
    await deploy(world.ports(), deploy_request(fourth.sha))
    gone(world, "second")

    outcome = await roll_back(world.ports(), rollback_request())

    assert outcome.release.commit == world.commits["first"]


async def test_a_deploy_of_what_mends_it_goes_live_too() -> None:
    world = await broken(Behaviour.NEVER_READY)
    fourth = world.git.commit("fourth", {"adapter/app.py": "good 4"})

    outcome = await deploy(world.ports(), deploy_request(fourth.sha))

    assert outcome.state is State.LIVE, outcome.release.reason


async def test_while_somebody_restarts_its_pods_a_rollback_is_refused() -> None:
    world = await broken(Behaviour.NEVER_READY)
    world.cluster.restart_pods(world.deployment)

    outcome = await roll_back(world.ports(), rollback_request())

    assert summary(outcome) == "refused: deployment-unfit"
    assert "a rollout is under way" in outcome.release.reason


async def test_no_release_begins_while_the_only_pod_of_what_is_live_is_being_replaced() -> None:
    """What it replaces was good: taken for broken, a failed release would not bring it back."""
    world = World.seeded()
    assert summary(await deploy(world.ports(), deploy_request(world.commits["second"].sha)))
    await asyncio.sleep(60)
    world.deployment.pods.clear()
    world.cluster.settle(world.deployment)
    for pod in world.deployment.pods:
        pod.unready_until = asyncio.get_running_loop().time() + 20

    early = await deploy(world.ports(), deploy_request(world.commits["crashing"].sha))
    await asyncio.sleep(30)
    later = await deploy(world.ports(), deploy_request(world.commits["crashing"].sha))

    assert (early.state, early.code) == (State.REFUSED, "deployment-unfit")
    assert "try again in a minute" in early.release.reason
    assert later.state is State.RESTORED
    assert world.runs() == {world.digest_of("second")}

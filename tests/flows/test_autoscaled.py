"""An autoscaler owns the replicas of a Deployment: no trouble where the program sets none."""

import asyncio

import pytest

from flows.deploy import release as deploy
from flows.drilling import drill
from flows.restart import restart
from flows.rollback import release as roll_back
from slipway.domain.drill import Result
from slipway.domain.release import State
from slipway.errors import DeploymentUnfit
from tests.fakes.world import World, deploy_request, rollback_request, summary
from tests.flows.test_audit import found, look, released

AUTOSCALER = "kube-controller-manager"


async def autoscaled(*, sets_replicas: bool = False) -> World:
    """What two releases have left, at a size that an autoscaler has found since."""
    world = await released("second", "third")
    world.resources[0].sets_replicas = sets_replicas
    world.cluster.scale_by_hand(world.deployment, 3, AUTOSCALER)
    await asyncio.sleep(60)
    return world


def newer_than(world: World) -> str:
    return world.git.commit("Serve more", {"adapter/app.py": "good 4"}).sha


async def test_a_release_goes_through_and_leaves_the_size_to_the_autoscaler() -> None:
    world = await autoscaled()

    gone_on = await deploy(world.ports(), deploy_request(newer_than(world)))
    await asyncio.sleep(60)
    gone_back = await roll_back(world.ports(), rollback_request())

    assert (gone_on.state, gone_back.state) == (State.LIVE, State.LIVE), summary(gone_back)
    assert world.deployment.replicas == 3
    assert world.deployment.replicas_managers == (AUTOSCALER,)


async def test_an_audit_a_drill_and_a_restart_find_nothing_wrong_with_it() -> None:
    world = await autoscaled()

    assert found(await look(world)) == set()
    assert (await drill(world.ports())).result is Result.WORKS
    assert "3" in await restart(world.ports())


@pytest.mark.parametrize("manager", ["kube-controller-manager", "k3s", "kubelite"])
async def test_where_the_program_sets_them_too_it_is_to_leave_them_out(manager: str) -> None:
    world = await autoscaled(sets_replicas=True)
    world.deployment.replicas_managers = (manager,)

    outcome = await deploy(world.ports(), deploy_request(newer_than(world)))
    [finding] = [each for each in (await look(world)).findings if each.rule == "SYS003"]

    assert summary(outcome) == "refused: deployment-unfit"
    assert "let the program not set replicas" in outcome.release.reason
    assert "let the program not set replicas" in finding.remedy.sentence
    assert finding.remedy.command == f"pulumi up --stack {world.target.stack}"


async def test_a_restart_is_refused_where_pulumi_does_not_record_the_deployment() -> None:
    """Nothing tells then what its program sets."""
    world = await autoscaled()
    world.resources[0].exists = False

    with pytest.raises(DeploymentUnfit, match=r"spec\.replicas is owned by field manager"):
        await restart(world.ports())

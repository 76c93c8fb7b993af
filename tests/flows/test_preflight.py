"""The preflight: everything is looked at, and nothing waits for something else."""

import asyncio

import pytest

from flows import deploy
from slipway.domain.image import Digest
from slipway.domain.release import Options, Outcome, State
from slipway.errors import Unreachable
from slipway.tasks.preflight import check_all
from tests.fakes.faults import raising
from tests.fakes.world import World, deploy_request, summary


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


@pytest.mark.parametrize("seconds", [0.01, 1.0, 3.0, 8.0])
async def test_a_release_that_is_asked_for_while_another_is_at_work_waits_for_its_end(
    seconds: float,
) -> None:
    """Whatever the other has come to: its half-done work is not held against the next."""
    world = World.seeded()
    for name in ("second", "third"):
        world.publish(name)

    async def later() -> Outcome:
        await asyncio.sleep(seconds)
        return await deploying(world, "third")

    first, second = await asyncio.gather(deploying(world, "second"), later())

    assert (first.state, second.state) == (State.LIVE, State.LIVE), second.release.reason
    assert world.runs() == {world.digest_of("third")}


async def test_a_rollout_that_nobody_of_ours_started_is_refused() -> None:
    world = World.seeded()
    world.publish("second")
    image = f"{world.target.service.repository}:{world.commits['second']}"
    world.cluster.set_image(world.deployment, image)

    outcome = await deploying(world, "third")

    assert summary(outcome).startswith("refused: ")
    assert "rollout is under way" in outcome.release.reason


async def test_a_cluster_whose_nodes_have_credentials_of_their_own_can_be_released_to(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World.seeded()
    world.publish("second")
    world.deployment.pull_secrets = ()
    world.cluster.nodes_have_credentials = True
    await asyncio.sleep(60)

    outcome = await deploying(world, "second")

    assert outcome.state is State.LIVE, outcome.release.reason
    assert "can't be told" in caplog.text


@pytest.mark.parametrize("image_id", [Digest("sha256:" + "e" * 64), None])
async def test_where_no_pod_shows_that_nodes_pull_without_a_secret_nothing_is_changed(
    image_id: Digest | None,
) -> None:
    """What runs is not what is asked for, or a node has just been denied it."""
    world = World.seeded()
    world.publish("second")
    world.deployment.pull_secrets = ()
    for each in world.deployment.pods:
        each.named = image_id
    if image_id is None:
        world.cluster.restart_pods(world.deployment)
    before = world.value

    outcome = await deploying(world, "second")

    assert outcome.state is State.REFUSED
    assert "let the program name a pull secret" in outcome.release.reason
    assert world.value == before


async def deploying(world: World, name: str) -> Outcome:
    return await deploy.release(world.ports(), deploy_request(world.commits[name].sha))

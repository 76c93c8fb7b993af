"""GitHub is told what becomes of a commit, and no release ever depends on it."""

import asyncio
import logging
from dataclasses import replace
from typing import NoReturn

import pytest

from flows import deploy, recover, rollback
from slipway.domain.hold import NewHold
from slipway.domain.release import Outcome, State
from slipway.domain.write_back import CommitState, DeploymentState
from slipway.errors import AccessDenied, SlipwayError, Unreachable
from slipway.tasks import telling
from tests.fakes.code_host import FakeCodeHost
from tests.fakes.world import World, deploy_request, rollback_request
from tests.flows.dying import dead

TARGET = "ls-triton-adapter-prod"
SUCCESS, FAILURE = CommitState.SUCCESS, CommitState.FAILURE


def told_world() -> tuple[World, FakeCodeHost]:
    """The world, and GitHub, which is told of it."""
    world = World.seeded()
    world.write_back = FakeCodeHost()
    return world, world.write_back


async def deployed(world: World, name: str, *, automatic: bool = False) -> Outcome:
    request = replace(deploy_request(world.commits[name].sha), automatic=automatic)
    return await deploy.release(world.ports(), request)


async def test_a_deploy_is_queued_in_progress_and_a_success_and_the_one_before_inactive() -> None:
    world, host = told_world()

    for name in ("second", "third"):
        assert (await deployed(world, name)).state is State.LIVE

    second, third = host.deployments
    order = [DeploymentState.QUEUED, DeploymentState.IN_PROGRESS, DeploymentState.SUCCESS]
    assert [each.state for each in third.said] == order
    assert [each.state for each in second.said] == [*order, DeploymentState.INACTIVE]
    shown = host.shown(world.commits["third"], TARGET)
    assert shown is not None
    assert shown.state is SUCCESS
    assert shown.context == f"slipway/{TARGET}"
    assert shown.description.startswith("live: proven:")


async def test_a_bad_image_is_a_failure_and_what_was_live_stays_active() -> None:
    world, host = told_world()
    await deployed(world, "second")

    outcome = await deployed(world, "crashing")

    assert outcome.state is State.RESTORED
    assert host.progress(TARGET) == ["success", "failure"]
    shown = host.shown(world.commits["crashing"], TARGET)
    assert shown is not None
    assert (shown.state, len(shown.description) <= 140) == (FAILURE, True)
    assert shown.description.startswith("restored: disproven:")


async def test_what_could_not_be_proven_is_an_error() -> None:
    world, host = told_world()
    world.faults.after("stack.up", lambda: world.faults.always("cluster.observe", AWAY))

    outcome = await deployed(world, "second")

    assert outcome.state is State.NEEDS_ATTENTION
    assert host.progress(TARGET) == ["error"]
    shown = host.shown(world.commits["second"], TARGET)
    assert shown is not None
    assert shown.state is CommitState.ERROR


AWAY = Unreachable("the cluster is away")


async def test_a_rollback_is_a_deployment_of_the_commit_that_it_goes_back_to() -> None:
    world, host = told_world()
    await deployed(world, "second")

    await rollback.release(world.ports(), rollback_request())

    assert host.progress(TARGET) == ["inactive", "success"]
    assert host.deployments[-1].commit == world.commits["first"]


async def test_a_held_push_is_no_failure_and_says_why() -> None:
    world, host = told_world()
    await world.ledger.place_hold(TARGET, NewHold("it is Friday", "ada"))

    outcome = await deployed(world, "second", automatic=True)

    assert outcome.state is State.REFUSED
    assert host.progress(TARGET) == ["inactive"]
    shown = host.shown(world.commits["second"], TARGET)
    assert shown is not None
    assert shown.state is CommitState.PENDING
    assert "it is Friday" in shown.description


async def test_a_commit_that_nobody_knows_is_told_to_nobody() -> None:
    world, host = told_world()

    await deploy.release(world.ports(), deploy_request("f" * 40))

    assert not host.statuses
    assert not host.deployments


async def test_recovery_ends_the_deployment_of_the_process_that_died() -> None:
    world, host = told_world()
    await dead(world, "second", "after", "config.write")

    await recover.finish_all(world.ports())

    [deployment] = host.deployments
    assert deployment.said[-1].state is DeploymentState.FAILURE


@pytest.mark.parametrize(
    "error",
    [
        AccessDenied("the token may not: give it statuses=write"),
        Unreachable("GitHub can't now: wait"),
        RuntimeError("a defect"),
    ],
)
async def test_a_code_host_that_can_not_be_told_is_a_warning_and_nothing_more(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    world, host = told_world()
    for effect in ("status", "deployment"):
        host.faults.always(f"write_back.{effect}", error)

    with caplog.at_level(logging.WARNING, logger="slipway.tasks.telling"):
        outcome = await deployed(world, "second")

    assert outcome.state is State.LIVE
    told = [each for each in caplog.records if each.name == "slipway.tasks.telling"]
    assert {each.levelname for each in told} == {"WARNING"}
    assert len(told) == 2 or isinstance(error, SlipwayError)


async def test_what_was_refused_for_good_is_asked_for_once_a_release() -> None:
    world, host = told_world()
    host.faults.always("write_back.status", AccessDenied("no: give it statuses=write"))

    await deployed(world, "second")

    assert host.faults.effects.count("write_back.status") == 1
    assert host.progress(TARGET) == ["success"]


async def test_a_code_host_that_is_away_from_the_start_delays_no_end() -> None:
    loop = asyncio.get_running_loop()
    took = []
    for away in (False, True):
        world, host = told_world()
        for effect in ("status", "deployment"):
            host.faults.always(f"write_back.{effect}", Unreachable("away: wait") if away else None)
        began = loop.time()
        assert (await deployed(world, "second")).state is State.LIVE
        took.append(loop.time() - began)

    assert took[1] <= took[0] + 1.0


async def test_a_code_host_that_never_answers_holds_neither_the_lease_nor_the_run_for_long() -> (
    None
):
    world, host = told_world()
    quick = World.seeded()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await deploy.release(quick.ports(), deploy_request(quick.commits["second"].sha))
    without = loop.time() - began

    async def never() -> NoReturn:
        await asyncio.Event().wait()
        raise AssertionError

    host.faults.before("write_back.status", never)
    began = loop.time()
    outcome = await deployed(world, "second")

    assert outcome.state is State.LIVE
    assert loop.time() - began <= without + telling.LAST_WORD_WITHIN + 0.1
    ended = (await world.ledger.history(TARGET))[0].ended
    assert ended is not None

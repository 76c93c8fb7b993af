"""A rollback that fails: back to a healthy baseline, else it stays and tells the ways on."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from flows import deploy, recover, rollback
from slipway.domain.image import ImageReference
from slipway.domain.release import Outcome, State
from slipway.errors import ApplyFailed, Unreachable
from tests.fakes.faults import raising
from tests.fakes.world import World, deploy_request, reference_of, rollback_request, summary
from tests.flows.dying import dead_rollback

TARGET = "ls-triton-adapter-prod"


def break_by_hand(world: World) -> str:
    """Somebody rolled out a crashing image by hand and left it so, old pods gone."""
    image = world.publish("crashing")
    reference = ImageReference(
        world.target.service.repository, world.commits["crashing"].sha, image.digest
    )
    world.config.edit("bob", adapterImage=str(reference))
    world.resources[0].recorded = str(reference)
    world.cluster.set_image(world.deployment, str(reference))
    pod = world.deployment.pods[-1]
    pod.created -= 300.0
    world.deployment.pods = [pod]
    return str(reference)


async def deployed(world: World, name: str) -> Outcome:
    return await deploy.release(world.ports(), deploy_request(world.commits[name].sha))


async def rolled_back(world: World, name: str) -> Outcome:
    return await rollback.release(world.ports(), rollback_request(world.commits[name].sha))


async def broken(*, proven: bool) -> World:
    """What runs is broken; whether something was proven live before, or nothing ever was."""
    world = World.seeded()
    if proven:
        assert (await deployed(world, "second")).state is State.LIVE
    break_by_hand(world)
    world.publish("hungry")
    return world


async def test_a_failed_rollback_from_a_healthy_baseline_brings_it_back() -> None:
    world = World.seeded()
    await deployed(world, "second")
    world.publish("hungry")

    outcome = await rolled_back(world, "hungry")

    assert summary(outcome) == "restored: disproven"
    assert world.runs() == {world.digest_of("second")}


@pytest.mark.parametrize("before", ["proven", "never proven"])
async def test_a_failed_rollback_from_a_broken_baseline_stays_where_it_is(before: str) -> None:
    """Not to a third image, and not back to what was broken: nobody has asked for either."""
    world = await broken(proven=before == "proven")

    outcome = await rolled_back(world, "hungry")

    assert summary(outcome) == "needs attention: disproven"
    assert world.value == world.deployment.image == reference_of(world, "hungry")
    assert not outcome.release.is_open


async def test_a_rollback_that_stays_names_the_commits_that_are_left() -> None:
    world = await broken(proven=True)

    outcome = await rolled_back(world, "hungry")

    told = outcome.release.reason.partition("stays where it is")[2]
    for name in ("first", "second"):
        assert world.commits[name].short in told
    for name in ("hungry", "crashing", "third"):
        assert world.commits[name].short not in told
    assert told.endswith(f"slipway candidates {TARGET}")


async def test_a_rollback_to_a_commit_that_was_named_goes_live() -> None:
    world = await broken(proven=True)
    await rolled_back(world, "hungry")

    outcome = await rolled_back(world, "second")

    assert outcome.state is State.LIVE, outcome.release.reason
    assert world.runs() == {world.digest_of("second")}


async def test_what_pulumi_could_not_be_told_of_stays_open_until_recovery_has_done_it() -> None:
    world = await broken(proven=True)
    world.faults.before("stack.refresh", raising(ApplyFailed("no such plugin")))

    outcome = await rolled_back(world, "hungry")
    [recovered] = await recover.finish_all(world.ports())

    assert (outcome.state, outcome.release.is_open) == (State.NEEDS_ATTENTION, True)
    assert "no such plugin" in outcome.release.reason
    assert (summary(recovered), recovered.release.is_open) == ("needs attention: disproven", False)
    assert (await rolled_back(world, "second")).state is State.LIVE


async def test_where_candidates_can_not_be_looked_up_the_command_is_named() -> None:
    world = await broken(proven=True)

    def away() -> None:
        world.faults.always("source.fetch", Unreachable("GitHub does not answer"))

    world.faults.before("stack.up", away)
    outcome = await rolled_back(world, "hungry")

    assert summary(outcome) == "needs attention: disproven"
    assert outcome.release.reason.endswith(f"slipway candidates {TARGET}")


async def test_an_image_that_a_rollback_has_disproven_is_vetoed_where_it_stays_too() -> None:
    world = await broken(proven=True)

    outcome = await rolled_back(world, "hungry")

    [veto] = await world.ledger.vetoes(TARGET)
    assert (veto.commit, veto.release) == (world.commits["hungry"], outcome.release.id)


@pytest.mark.parametrize(
    "fault", [lambda: raising(ApplyFailed("no such plugin")), lambda: raising(RuntimeError("bug"))]
)
async def test_whatever_ends_it_after_the_pin_nothing_is_taken_back(
    fault: Callable[[], Callable[[], None]],
) -> None:
    world = await broken(proven=True)
    world.publish("third")
    world.faults.before("stack.up", fault())

    task = asyncio.ensure_future(rolled_back(world, "third"))
    await asyncio.wait({task})
    task.exception()

    [newest, *_] = await world.ledger.history(TARGET)
    assert newest.state is State.NEEDS_ATTENTION
    assert world.value == reference_of(world, "third")
    assert await world.ledger.vetoes(TARGET) == []


@pytest.mark.parametrize(
    ("moment", "effect"),
    [("after", "config.write"), ("before", "stack.up"), ("after", "stack.server-side-apply")],
)
async def test_recovery_of_such_a_rollback_takes_nothing_back_either(
    moment: str, effect: str
) -> None:
    world = await broken(proven=True)
    await dead_rollback(world, "hungry", moment, effect)

    [outcome] = await recover.finish_all(world.ports())

    assert outcome.state is State.NEEDS_ATTENTION
    assert world.value == reference_of(world, "hungry")
    assert "finished by recovery" in outcome.release.reason
    assert world.commits["second"].short in outcome.release.reason
    assert await recover.finish_all(world.ports()) == []


async def test_recovery_of_such_a_rollback_goes_forward_where_its_image_is_proven() -> None:
    world = await broken(proven=True)
    world.publish("third")
    await dead_rollback(world, "third", "after", "stack.server-side-apply")

    [outcome] = await recover.finish_all(world.ports())

    assert outcome.state is State.LIVE, outcome.release.reason


async def test_a_rollback_that_was_taken_over_while_it_failed_ends_as_its_successor_says() -> None:
    world = await broken(proven=True)
    taken = "taken over"

    def take_over() -> None:
        [row] = [each for each in world.ledger.releases.values() if not each.ended]
        later = replace(row, fence=row.fence + 1, state=State.NEEDS_ATTENTION, reason=taken)
        world.ledger.releases[row.id] = later

    world.faults.before("registry.tags", take_over)
    outcome = await rolled_back(world, "hungry")

    assert outcome.release.reason == taken

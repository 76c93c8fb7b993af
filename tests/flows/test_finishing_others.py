"""Recovery of several releases of a stack: each is looked at anew, none keeps another from it."""

import asyncio
from dataclasses import replace

import pytest

from flows import deploy, recover
from flows.states import worst
from slipway.domain.release import Kind, Outcome, Release, State
from slipway.errors import BuildFailed, Unreachable
from slipway.tasks.waiting import LEASE_SECONDS
from tests.fakes.faults import raising
from tests.fakes.processes import gated
from tests.fakes.world import World, deploy_request, summary
from tests.flows.dying import dead

ADAPTER, SINK = "ls-triton-adapter-prod", "annotations-sink-prod"


async def by_hand(world: World, name: str, target: str = ADAPTER) -> Outcome:
    return await deploy.release(world.ports(target), deploy_request(world.commits[name].sha))


def asked_for(world: World) -> list[Release]:
    """Every release but those that were found running."""
    return [each for each in world.ledger.releases.values() if each.kind is not Kind.ADOPTED]


async def dead_and_another_that_ends_meanwhile(world: World) -> asyncio.Task[Outcome]:
    """A deploy died after its pin; while somebody finishes it, one that builds ends and exits."""
    await dead(world, "second", "after", "config.write")
    building, may_end = asyncio.Event(), asyncio.Event()

    async def build() -> None:
        building.set()
        await may_end.wait()
        raise BuildFailed("does not compile")

    world.faults.before("builder.build", build)
    request = deploy_request(world.commits["second"].sha)
    other = world.process("other").start(deploy.release(gated(world.ports(SINK)), request))
    await building.wait()

    async def ends() -> None:
        may_end.set()
        await asyncio.wait({other})

    world.faults.before("config.write", ends)
    return other


async def test_a_release_goes_live_although_another_ended_while_it_recovered_a_third() -> None:
    world = World.seeded()
    other = await dead_and_another_that_ends_meanwhile(world)
    request = deploy_request(world.commits["third"].sha)

    outcome = await world.process("mine").start(deploy.release(gated(world.ports()), request))

    assert outcome.state is State.LIVE, outcome.release
    assert summary(await other) == "refused: build-failed"
    assert await world.ledger.unfinished(str(world.target.stack)) == []


async def test_recovery_leaves_alone_what_ended_while_it_finished_another() -> None:
    world = World.seeded()
    other = await dead_and_another_that_ends_meanwhile(world)

    finished = await world.process("mine").start(recover.finish_all(gated(world.ports())))

    assert [summary(each) for each in finished] == ["restored: cancelled"]
    assert summary(await other) == "refused: build-failed"


async def test_what_ends_right_before_it_is_taken_over_keeps_nothing_from_being_finished() -> None:
    """Between the last look at it and the takeover."""
    world = World.seeded()
    await dead(world, "second", "before", "builder.build")
    await dead(world, "third", "before", "builder.build")
    [first, second] = asked_for(world)
    has_ended, save = State.REFUSED, world.ledger.save

    async def ends_first(release: Release, *entries: object) -> Release:
        if release.id == first.id and release.fence:
            world.ledger.save = save  # type: ignore[method-assign] # as it was
            await save(replace(first, state=has_ended, reason="cancelled: by hand"))
        return await save(release, *entries)  # type: ignore[arg-type] # passed through

    world.ledger.save = ends_first  # type: ignore[method-assign] # another writes in between
    finished = await recover.finish_all(world.ports())

    assert [each.release.id for each in finished] == [second.id]
    assert world.ledger.releases[first.id].reason == "cancelled: by hand"


async def test_a_release_that_can_not_be_finished_keeps_no_other_from_it() -> None:
    world = World.seeded()
    await dead(world, "second", "before", "builder.build")
    await dead(world, "third", "before", "builder.build")
    [first, second] = asked_for(world)
    save = world.ledger.save

    async def away(release: Release, *entries: object) -> Release:
        if release.id == first.id:
            raise Unreachable("the ledger is away: try again")
        return await save(release, *entries)  # type: ignore[arg-type] # passed through

    world.ledger.save = away  # type: ignore[method-assign] # a fault of the ledger
    with pytest.raises(Unreachable):
        await recover.finish_all(world.ports())

    assert world.ledger.releases[second.id].state is State.REFUSED
    assert world.ledger.releases[first.id].is_open


async def without_its_target(world: World) -> Release:
    """A deploy died after its pin, and then somebody took its target out of the configuration."""
    await dead(world, "second", "after", "config.write")
    await asyncio.sleep(LEASE_SECONDS)
    del world.targets[ADAPTER]
    [left] = asked_for(world)
    return left


async def test_a_release_of_a_target_that_is_gone_says_what_to_do_and_stays_open() -> None:
    world = World.seeded()
    left = await without_its_target(world)

    [outcome] = await recover.finish_all(world.ports(SINK))

    assert (outcome.release.id, outcome.state) == (left.id, State.NEEDS_ATTENTION)
    assert f"no target {ADAPTER}" in outcome.release.reason
    assert f"slipway recover {ADAPTER}" in outcome.release.reason
    assert worst([outcome]).name == "NeedsAttention"
    assert outcome.release.is_open


async def test_a_release_of_a_target_that_is_gone_does_not_block_the_stack() -> None:
    """Where what it left changes more than the image, the guard says so."""
    world = World.seeded()
    world.commits["sink"] = world.git.commit("sink", {"sink/app.py": "good 2"})
    target = world.target
    left = await without_its_target(world)

    blocked = await by_hand(world, "sink", SINK)
    world.config.edit("ada", adapterImage=world.resources[0].recorded)
    gone_on = await by_hand(world, "sink", SINK)
    world.targets[ADAPTER] = target
    await recover.finish_all(world.ports(SINK))

    assert summary(blocked) == "refused: not-image-only"
    assert gone_on.state is State.LIVE, gone_on.release
    assert not world.ledger.releases[left.id].is_open


async def test_what_has_changed_nothing_is_ended_also_where_its_target_is_gone() -> None:
    world = World.seeded()
    await dead(world, "second", "before", "builder.build")
    [left] = asked_for(world)
    del world.targets[ADAPTER]

    [outcome] = await recover.finish_all(world.ports(SINK))

    assert (outcome.release.id, summary(outcome)) == (left.id, "refused: cancelled")


async def test_a_release_that_stands_open_is_shown_before_every_end() -> None:
    world = World.seeded()
    ended = await by_hand(world, "second")
    world.faults.before("builder.build", raising(asyncio.CancelledError()))
    standing = Outcome(replace(ended.release, state=State.RELEASING))

    assert worst([ended, standing]).name == "NeedsAttention"

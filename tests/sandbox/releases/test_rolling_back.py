"""Rollbacks on real parts."""

import pytest

from slipway.domain.release import Kind, Release, State
from tests.sandbox.releases.ends import facts, is_live, nothing_is_held, sound
from tests.sandbox.releases.real_world import RealWorld

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]


async def deployed(world: RealWorld) -> Release:
    """A fresh good commit, live."""
    outcome = await world.deploy(world.commit())
    assert outcome.state is State.LIVE, outcome.release.reason
    return outcome.release


async def test_rollbacks_go_to_an_older_commit_or_ever_further_back_and_leave_main(
    world: RealWorld,
) -> None:
    first, second, third = [await deployed(world) for _ in range(3)]
    assert second.commit is not None

    named = await world.roll_back(second.commit.short)
    await is_live(world, named)
    once = await world.roll_back()
    await is_live(world, once)
    twice = await world.roll_back()
    await is_live(world, twice)

    assert named.release.kind is Kind.ROLLBACK
    assert named.release.image == second.image
    assert once.release.image == first.image
    assert twice.release.digest not in {each.digest for each in (first, second, third)}
    assert (await facts(world)).main == third.digest


async def test_a_rollback_to_a_commit_without_an_image_is_refused_with_what_there_is(
    world: RealWorld,
) -> None:
    before = await sound(world)
    unpublished = world.commit()

    outcome = await world.roll_back(unpublished)

    assert (outcome.state, outcome.code) == (State.REFUSED, "image-missing")
    assert await facts(world) == before
    await nothing_is_held(world)
    assert f":{unpublished} does not exist" in outcome.release.reason
    listed = outcome.release.reason.partition("published are: ")[2]
    published = {tag[:7] for tag in await world.tags() if len(tag) == 40}
    shown = [each.split()[0] for each in listed.split(", ") if each[:7] in published]
    assert len(shown) == min(len(published), 10)

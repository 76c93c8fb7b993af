"""A stack belongs to one ledger: the first that uses it, until another takes it over."""

import asyncio

from flows import deploy, recover, rollback
from slipway.domain.release import Outcome, State
from slipway.errors import Unreachable
from slipway.tasks.ownership import adopt_stack
from tests.fakes.faults import raising
from tests.fakes.world import World, deploy_request, rollback_request, summary
from tests.flows.dying import dead


async def deployed(world: World) -> Outcome:
    return await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))


def of_another(world: World) -> None:
    """Somebody's Slipway, with a ledger of its own, has used the stack before."""
    world.stack_tags["slipway:ledger"] = "another"


def untouched(world: World) -> tuple[object, ...]:
    return world.config.latest, world.deployment.image, len(world.updates), world.registry.tagged


async def test_the_first_release_of_a_stack_names_the_ledger() -> None:
    world = World.seeded()

    assert (await deployed(world)).state is State.LIVE

    assert world.stack_tags == {"slipway:ledger": await world.ledger.identity()}


async def test_a_name_whose_answer_was_lost_is_looked_up() -> None:
    world = World.seeded()
    world.faults.after("stack.claim", raising(Unreachable("reset")))

    assert (await deployed(world)).state is State.LIVE


async def test_the_stack_of_another_ledger_is_refused_with_both_names() -> None:
    world = World.seeded()
    world.publish("second")
    of_another(world)
    before = untouched(world)

    outcomes = [
        await deployed(world),
        await rollback.release(world.ports(), rollback_request(world.commits["second"].sha)),
    ]

    for each in outcomes:
        assert summary(each) == "refused: another-ledger"
        assert "ledger another" in each.release.reason
        assert await world.ledger.identity() in each.release.reason
        stack = world.target.stack
        assert f"slipway ledger adopt {stack} --reason" in each.release.reason
    assert untouched(world) == before


async def test_two_ledgers_that_meet_at_a_new_stack_do_not_both_have_it() -> None:
    """Both have looked before either has written; the later one is told."""
    world = World.seeded()
    world.publish("second")
    before = untouched(world)
    world.faults.before("stack.claim", lambda: of_another(world))

    outcome = await deployed(world)

    assert summary(outcome) == "refused: another-ledger"
    assert untouched(world) == before
    assert await world.ledger.holder(str(world.target.stack)) is None


async def test_recovery_leaves_the_stack_of_another_ledger_alone() -> None:
    world = World.seeded()
    await dead(world, "second", "after", "config.write")
    of_another(world)
    before = untouched(world)

    [refused] = await asyncio.gather(recover.finish_all(world.ports()), return_exceptions=True)

    assert "belongs to ledger another" in str(refused)
    assert untouched(world) == before


async def test_a_stack_that_is_adopted_is_released_to_and_the_reason_is_kept() -> None:
    world = World.seeded()
    of_another(world)

    taken = await adopt_stack(world.ports(), "ada", "its disk is gone")
    again = await adopt_stack(world.ports(), "ada", "once more")

    assert taken is not None
    assert again is None
    assert await world.ledger.takeovers(str(world.target.stack)) == [taken]
    assert (taken.instead_of, taken.by, taken.reason) == ("another", "ada", "its disk is gone")
    assert (await deployed(world)).state is State.LIVE

"""Who goes first where several releases want one stack, and who has no point in going at all."""

import asyncio

import pytest

from flows import deploy, rollback
from slipway.domain.release import Outcome, Phase, State
from slipway.errors import Unreachable
from slipway.tasks.waiting import ASK_EVERY, LINE_SECONDS
from tests.fakes.faults import Fault, raising
from tests.fakes.ledger import MemoryLedger
from tests.fakes.processes import gated
from tests.fakes.world import World, deploy_request, reference_of, rollback_request, summary
from tests.flows.dying import dead

SINK = "annotations-sink-prod"


class SlowToLeave(MemoryLedger):
    """A ledger in which somebody else gets in between any two changes."""

    async def leave_line(self, release: str) -> None:
        await asyncio.sleep(3 * ASK_EVERY)
        await super().leave_line(release)


async def deploying(world: World, name: str, target: str = "") -> Outcome:
    ports = world.ports(target) if target else world.ports()
    return await deploy.release(ports, deploy_request(world.commits[name].sha))


async def rolling_back(world: World, to: str = "first") -> Outcome:
    wanted = to if to == "previous" else world.commits[to].sha
    return await rollback.release(world.ports(), rollback_request(wanted))


async def started(world: World, effect: str) -> asyncio.Event:
    """Set once the effect has been reached."""
    reached = asyncio.Event()
    world.faults.before(effect, reached.set)
    return reached


async def until_in_line(world: World, count: int) -> None:
    """Wait until so many releases stand in the stack's line."""
    while len(world.ledger.lines) < count:  # noqa: ASYNC110 - a fake has no event for it
        await asyncio.sleep(0.1)


def until(world: World, *, waiting: int) -> Fault:
    """A fault that lasts until so many releases stand in the stack's line."""
    return lambda: until_in_line(world, waiting)


def lose_the_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks next for the lease gets it, and does not hear of it."""
    acquire, lost = world.ledger.acquire, iter([True])

    async def answered(*arguments: object) -> object:
        lease = await acquire(*arguments)  # type: ignore[arg-type] # handed on as they came
        if next(lost, False):
            raise Unreachable("the ledger's answer was lost")
        return lease

    monkeypatch.setattr(world.ledger, "acquire", answered)


def order(world: World) -> list[str]:
    """What the stack's updates were for, oldest first: the first word after the verb."""
    return [each.message for each in world.updates if each.message.startswith("slipway ")]


async def test_deploys_of_two_targets_run_one_after_the_other() -> None:
    world = World.seeded()

    outcomes = await asyncio.gather(deploying(world, "second"), deploying(world, "second", SINK))

    assert [each.state for each in outcomes] == [State.LIVE, State.LIVE]
    fences = [each.release.fence for each in outcomes]
    assert fences[0] != fences[1]


async def test_of_several_waiting_deploys_of_a_target_only_the_newest_runs() -> None:
    world = World.seeded()
    reached = await started(world, "stack.up")
    holder = asyncio.ensure_future(deploying(world, "second", SINK))
    await reached.wait()

    older, newest = await asyncio.gather(deploying(world, "second"), deploying(world, "third"))
    await holder

    assert newest.state is State.LIVE
    assert summary(older) == "refused: superseded"
    assert f"by {world.commits['third']}" in older.release.reason
    assert world.value == reference_of(world, "third")
    assert not any(f" {world.commits['second'].short} at ls-" in each for each in order(world))


async def test_a_deploy_that_has_ended_supersedes_nobody_any_more() -> None:
    """Whoever takes the lease next must not find the one that had it in the line still."""
    world = World.seeded()
    world.ledger = SlowToLeave()
    world.faults.before("stack.preview", until(world, waiting=2))
    newer = asyncio.ensure_future(deploying(world, "crashing"))
    await until_in_line(world, 1)

    older = await deploying(world, "second")

    assert summary(await newer) == "restored: disproven"
    assert older.state is State.LIVE, older.release.reason


async def test_a_waiting_deploy_of_another_target_is_not_superseded() -> None:
    world = World.seeded()
    reached = await started(world, "stack.up")
    holder = asyncio.ensure_future(deploying(world, "second"))
    await reached.wait()

    waited = await deploying(world, "third", SINK)

    assert (await holder).state is State.LIVE
    assert waited.state is State.LIVE


async def test_a_rollback_goes_before_deploys_that_wait_longer() -> None:
    """And its hold, of which nobody knew when they asked, stops them."""
    world = World.seeded()
    await deploying(world, "second")
    reached = await started(world, "stack.up")
    holder = asyncio.ensure_future(deploying(world, "second", SINK))
    await reached.wait()

    waiting = asyncio.ensure_future(deploying(world, "third"))
    await until_in_line(world, 2)
    back = await rolling_back(world)
    await asyncio.gather(holder, waiting)

    assert back.state is State.LIVE
    assert summary(waiting.result()) == "refused: held"
    assert back.release.fence < waiting.result().release.fence


async def test_a_rollback_ends_a_deploy_that_has_not_pinned_yet() -> None:
    world = World.seeded()
    await deploying(world, "second")
    reached = asyncio.Event()

    async def take_long() -> None:
        reached.set()
        await asyncio.sleep(30)

    world.faults.before("stack.preview", take_long)
    newer = asyncio.ensure_future(deploying(world, "third"))
    await reached.wait()

    back = await rolling_back(world)

    assert summary(await newer) == "refused: superseded"
    assert f"rollback {back.release.id}" in newer.result().release.reason
    assert newer.result().release.phase is not Phase.PINNED
    assert back.state is State.LIVE
    assert world.runs() == {world.digest_of("first")}


async def test_a_rollback_interrupts_an_update_once_which_is_restored_first() -> None:
    world = World.seeded()
    await deploying(world, "second")
    reached = await started(world, "stack.server-side-apply")
    newer = asyncio.ensure_future(deploying(world, "stuck"))
    await reached.wait()

    back = await rolling_back(world)

    assert summary(await newer) == "restored: superseded"
    assert back.state is State.LIVE
    assert world.runs() == {world.digest_of("first")}
    assert newer.result().release.fence < back.release.fence


async def test_a_rollback_to_what_that_restore_has_reached_is_live_without_another_update() -> None:
    world = World.seeded()
    await deploying(world, "second")
    reached = await started(world, "stack.server-side-apply")
    newer = asyncio.ensure_future(deploying(world, "stuck"))
    await reached.wait()

    back = await rolling_back(world, "second")
    restored = (await newer).release

    assert back.state is State.LIVE, back.release.reason
    assert f"release {restored.id}" in back.release.reason
    assert not any(back.release.id in each for each in order(world))
    assert world.runs() == {world.digest_of("second")}
    assert world.value == reference_of(world, "second")


async def test_a_restore_is_never_interrupted() -> None:
    world = World.seeded()
    await deploying(world, "second")
    reached = await started(world, "stack.refresh")
    crashing = asyncio.ensure_future(deploying(world, "crashing"))
    await reached.wait()

    back = await rolling_back(world)

    assert summary(await crashing) == "restored: disproven"
    assert back.state is State.LIVE
    assert world.runs() == {world.digest_of("first")}


async def test_a_rollback_leaves_a_deploy_of_another_target_alone() -> None:
    world = World.seeded()
    await deploying(world, "second")
    reached = await started(world, "stack.up")
    other = asyncio.ensure_future(deploying(world, "second", SINK))
    await reached.wait()

    back = await rolling_back(world)

    assert (await other).state is State.LIVE
    assert back.state is State.LIVE


async def test_who_died_while_waiting_keeps_nobody_from_going() -> None:
    world = World.seeded()
    reached = await started(world, "stack.up")
    holder = asyncio.ensure_future(deploying(world, "second", SINK))
    await reached.wait()
    process = world.process("waiting")
    process.start(deploy.release(gated(world.ports()), deploy_request(world.commits["third"].sha)))
    await until_in_line(world, 2)
    process.lose_power()
    await asyncio.sleep(LINE_SECONDS)

    outcome = await deploying(world, "second")

    assert (await holder).state is State.LIVE
    assert outcome.state is State.LIVE, outcome.release.reason


async def test_who_died_with_the_lease_supersedes_nobody() -> None:
    world = World.seeded()
    await dead(world, "third", "before", "config.write")

    outcome = await deploying(world, "second")

    assert outcome.state is State.LIVE, outcome.release.reason
    assert world.runs() == {world.digest_of("second")}


async def test_a_ledger_that_blinks_costs_a_waiting_release_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World.seeded()
    reached = await started(world, "stack.up")
    holder = asyncio.ensure_future(deploying(world, "second", SINK))
    await reached.wait()
    stand, gone = world.ledger.stand_in_line, raising(Unreachable("the ledger did not answer"))
    failing = iter([True] * 4)

    async def blinking(*arguments: object) -> object:
        if next(failing, False):
            gone()
        return await stand(*arguments)  # type: ignore[arg-type] # handed on as they came

    monkeypatch.setattr(world.ledger, "stand_in_line", blinking)
    outcome = await deploying(world, "second")

    assert (await holder).state is State.LIVE
    assert outcome.state is State.LIVE, outcome.release.reason


async def test_a_lease_whose_answer_was_lost_is_taken_again_once_it_has_run_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody knows its fence, so nobody can work by it or give it back."""
    world = World.seeded()
    lose_the_answer(world, monkeypatch)

    outcome = await deploying(world, "second")

    assert outcome.state is State.LIVE, outcome.release.reason
    assert outcome.release.fence == 2


async def test_who_has_the_lease_unheard_still_goes_before_an_older_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World.seeded()
    world.publish("second")
    world.publish("third")
    lose_the_answer(world, monkeypatch)
    newer = asyncio.ensure_future(deploying(world, "third"))
    await until_in_line(world, 1)

    older = await deploying(world, "second")

    assert older.state is State.REFUSED
    assert (await newer).state is State.LIVE, (await newer).release.reason


async def test_nobody_is_left_in_the_line() -> None:
    world = World.seeded()

    await asyncio.gather(deploying(world, "second"), deploying(world, "third"))

    assert not world.ledger.lines
    assert await world.ledger.holder(str(world.target.stack)) is None

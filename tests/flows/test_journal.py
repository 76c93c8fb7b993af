"""The journal of a release: every effect is announced before it, and told of afterwards."""

import asyncio

import pytest

from flows import deploy, recover, rollback
from slipway.domain.journal import Chain, EntryKind, JournalEntry, flaws, folded
from slipway.domain.release import Outcome, State
from slipway.errors import ConfigConflict, PushFailed
from slipway.tasks.program import anchor_of
from tests.fakes.faults import raising
from tests.fakes.world import World, deploy_request, rollback_request
from tests.flows.dying import dead

INTENT, SEEN = EntryKind.INTENT, EntryKind.OBSERVATION


async def deployed(world: World, name: str = "second") -> Outcome:
    return await deploy.release(world.ports(), deploy_request(world.commits[name].sha))


async def newest(world: World) -> list[JournalEntry]:
    [release, *_] = await world.ledger.history(world.target.name)
    entries = [*await world.ledger.journal(release.id)]
    assert flaws(Chain(release.id, release.journal, folded(entries), entries)) == []
    return entries


def steps(entries: list[JournalEntry]) -> list[tuple[str, str]]:
    return [(each.kind, each.facts["step"]) for each in entries if each.kind in {INTENT, SEEN}]


def done(*names: str) -> list[tuple[str, str]]:
    return [(kind, name) for name in names for kind in (INTENT, SEEN)]


async def test_a_deploy_tells_of_each_effect_before_and_after_it() -> None:
    world = World.seeded()

    await deployed(world)

    assert steps(await newest(world)) == done("push", "pin", "up", "tag")


async def test_a_restore_tells_of_its_effects_too() -> None:
    world = World.seeded()

    assert (await deployed(world, "crashing")).state is State.RESTORED

    assert steps(await newest(world)) == done("push", "pin", "up", "unpin", "refresh", "up")


async def test_a_rollback_of_what_is_published_pushes_nothing_and_moves_no_tag() -> None:
    world = World.seeded()
    await deployed(world)

    await rollback.release(world.ports(), rollback_request())

    assert steps(await newest(world)) == done("pin", "up")


@pytest.mark.parametrize(
    ("name", "effect", "step", "count"),
    [
        ("second", "builder.push", "push", 1),
        ("second", "config.write", "pin", 1),
        ("second", "stack.up", "up", 1),
        ("second", "registry.tag", "tag", 1),
        ("crashing", "stack.refresh", "refresh", 1),
    ],
)
async def test_an_effect_is_announced_in_the_ledger_before_it_is_tried(
    name: str, effect: str, step: str, count: int
) -> None:
    world = World.seeded()
    seen: list[list[tuple[str, str]]] = []

    async def look() -> None:
        seen.append(steps(await newest(world)))

    world.faults.before(effect, look)
    await deployed(world, name)

    [at_the_effect] = seen
    assert at_the_effect[-1] == (INTENT, step)
    assert at_the_effect.count((INTENT, step)) == count


async def test_the_intent_to_pin_says_what_is_written_over_what() -> None:
    world = World.seeded()
    before, revision = world.value, world.config.latest.number

    outcome = await deployed(world)

    [announced, seen] = [
        each.facts for each in await newest(world) if each.facts.get("step") == "pin"
    ]
    assert announced["value"] == outcome.release.image
    assert (announced["instead_of"], announced["over"]) == (before, revision)
    assert seen["revision"] == world.config.latest.number


@pytest.mark.parametrize(
    ("effect", "step", "error", "says"),
    [
        ("builder.push", "push", PushFailed("disk full"), "push-failed: disk full"),
        ("config.write", "pin", ConfigConflict("somebody wrote"), "config-changed: somebody wrote"),
        ("stack.up", "up", RuntimeError("a defect"), "RuntimeError"),
        ("stack.up", "up", asyncio.CancelledError(), "CancelledError"),
    ],
)
async def test_an_effect_that_fails_is_told_of_with_its_error(
    effect: str, step: str, error: BaseException, says: str
) -> None:
    world = World.seeded()
    world.faults.before(effect, raising(error))

    await asyncio.gather(asyncio.ensure_future(deployed(world)), return_exceptions=True)

    told = [each.facts for each in await newest(world) if each.kind is SEEN]
    assert {"step": step, "failed": says} in told


async def test_every_update_of_ours_witnesses_the_journal_of_its_release() -> None:
    world = World.seeded()
    await deployed(world, "crashing")
    await deployed(world)
    [second, first, _] = await world.ledger.history(world.target.name)
    name, stack = await world.ledger.identity(), str(world.target.stack)

    anchors = [anchor_of(each, name, stack) for each in world.updates]

    assert anchors[0] is None  # by hand
    assert [each.release for each in anchors if each] == [first.id] * 3 + [second.id]
    for release in (first, second):
        entries = [*await world.ledger.journal(release.id)]
        chain = Chain(release.id, release.journal, folded(entries), entries)
        assert flaws(chain, [each for each in anchors if each]) == []
    assert anchor_of(world.updates[-1], "another", stack) is None


@pytest.mark.parametrize("effect", ["config.write", "stack.up", "stack.server-side-apply"])
async def test_recovery_goes_on_with_the_journal_of_the_dead(effect: str) -> None:
    world = World.seeded()
    await dead(world, "second", "before", effect)

    await recover.finish_all(world.ports())

    entries = await newest(world)
    fences = [each.fence for each in entries]
    assert fences == sorted(fences)
    assert fences[-1] > 1
    told = steps(entries)
    assert (INTENT, "pin") in told
    assert told[-1][0] is SEEN

"""Holds and vetoes: what automation must not do at a target, who said so, and how it ends."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flows import deploy, recover, rollback
from slipway.domain.commit import Commit
from slipway.domain.hold import NewHold, NewVeto, Restriction
from slipway.domain.journal import Note
from slipway.domain.release import Options, Outcome, Release, State
from slipway.errors import ApplyFailed, ConfigConflict, Unreachable
from tests.fakes.faults import raising
from tests.fakes.processes import CURRENT, gated
from tests.fakes.world import World, deploy_request, reference_of, rollback_request, summary
from tests.flows.dying import dead

TARGET = "ls-triton-adapter-prod"


async def by_hand(
    world: World, name: str, why: str = "it is mended", even_if_vetoed: str = ""
) -> Outcome:
    options = Options(even_if_vetoed=even_if_vetoed)
    request = deploy_request(world.commits[name].sha, options)
    return await deploy.release(world.ports(), replace(request, why=why))


async def by_automation(world: World, name: str, target: str = TARGET, why: str = "") -> Outcome:
    request = replace(deploy_request(world.commits[name].sha), automatic=True, why=why)
    return await deploy.release(world.ports(target), request)


async def rolled_back(world: World) -> Outcome:
    """From `second` back to `first`, because it is slow."""
    assert (await by_hand(world, "second")).state is State.LIVE
    outcome = await rollback.release(world.ports(), rollback_request())
    assert outcome.state is State.LIVE, outcome.release.reason
    return outcome


async def test_a_rollback_leaves_a_hold_with_reason_name_and_the_commit_it_left() -> None:
    world = World.seeded()

    outcome = await rolled_back(world)

    [hold] = await world.ledger.holds(TARGET)
    assert (hold.reason, hold.by, hold.release) == ("it is slow", "ada", outcome.release.id)
    assert hold.about == world.commits["second"]
    assert any("automation is paused" in note for note in outcome.release.notes)


async def test_a_rollback_stays_rolled_back_and_the_image_is_published() -> None:
    world = World.seeded()
    await rolled_back(world)
    value, running = world.value, world.runs()

    outcome = await by_automation(world, "third")

    assert summary(outcome) == "refused: held"
    assert "by ada: it is slow" in outcome.release.reason
    assert f"slipway release-hold {TARGET}" in outcome.release.reason
    assert (world.value, world.runs()) == (value, running)
    assert world.digest_of("third") is not None
    assert outcome.release.digest == world.digest_of("third")


async def test_automation_does_not_pass_a_hold_by_saying_why() -> None:
    """The webhook always says which push it is."""
    world = World.seeded()
    await rolled_back(world)

    outcome = await by_automation(world, "third", why="push to main")

    assert summary(outcome) == "refused: held"
    assert world.runs() == {world.digest_of("first")}


async def test_a_hold_stops_automation_that_waited_for_the_rollback() -> None:
    """It asked before there was a hold, and is told under the lease."""
    world = World.seeded()
    await by_hand(world, "second")
    world.publish("third")

    going_back, third = await asyncio.gather(
        rollback.release(world.ports(), rollback_request()),
        _soon(by_automation(world, "third")),
    )

    assert going_back.state is State.LIVE
    assert summary(third) == "refused: held"
    assert world.runs() == {world.digest_of("first")}


async def _soon(deploying: Coroutine[Any, Any, Outcome]) -> Outcome:
    await asyncio.sleep(0.01)
    return await deploying


async def test_a_hold_is_its_targets_alone() -> None:
    world = World.seeded()
    await rolled_back(world)

    outcome = await by_automation(world, "second", target="annotations-sink-prod")

    assert outcome.state is State.LIVE, outcome.release.reason


async def test_a_rollback_that_did_not_go_live_leaves_no_hold() -> None:
    world = World.seeded()
    await by_hand(world, "second")
    world.faults.before("stack.up", raising(ApplyFailed("no such plugin")))

    outcome = await rollback.release(world.ports(), rollback_request())

    assert outcome.state is State.RESTORED, outcome.release.reason
    assert await world.ledger.holds(TARGET) == []


async def test_a_persons_newer_commit_lifts_the_hold_once_it_is_live() -> None:
    world = World.seeded()
    await rolled_back(world)
    seen: list[int] = []

    async def look() -> None:
        seen.append(len(await world.ledger.holds(TARGET)))

    world.faults.before("stack.up", look)
    outcome = await by_hand(world, "third")

    assert outcome.state is State.LIVE
    assert seen == [1]
    assert await world.ledger.holds(TARGET) == []
    assert any("it is over" in note for note in outcome.release.notes)
    [hold] = world.ledger.all_holds
    assert hold.lifted is not None
    assert (hold.lifted.by, outcome.release.id in hold.lifted.why) == ("ada", True)
    fixed = world.git.commit("fix", {"adapter/app.py": "good 4"})
    world.commits["fix"] = fixed
    assert (await by_automation(world, "fix")).state is State.LIVE


@pytest.mark.parametrize("why", ["", "  "])
async def test_a_person_passes_a_hold_by_saying_why_and_only_so(why: str) -> None:
    world = World.seeded()
    await rolled_back(world)

    refused = await by_hand(world, "third", why=why)
    published = world.digest_of("third")
    passed = await by_hand(world, "third", why="the leak is mended")

    assert summary(refused) == "refused: reason-missing"
    assert "by ada: it is slow" in refused.release.reason
    assert "--reason" in refused.release.reason
    assert "`why`" in refused.release.reason
    assert published is None
    assert passed.state is State.LIVE


@pytest.mark.parametrize("why", ["", "release day"])
async def test_a_hold_placed_while_a_person_waits_stops_the_deploy_whatever_its_reason(
    why: str,
) -> None:
    """Who has asked before somebody rolled back does not know of it."""
    world = World.seeded()
    await by_hand(world, "second")

    going_back, third = await asyncio.gather(
        rollback.release(world.ports(), rollback_request()), _soon(by_hand(world, "third", why))
    )

    assert going_back.state is State.LIVE
    assert summary(third) == "refused: held"
    assert "by ada: it is slow" in third.release.reason
    assert f"slipway deploy {TARGET} {world.commits['third']} --reason" in third.release.reason
    assert world.runs() == {world.digest_of("first")}
    assert len(await world.ledger.holds(TARGET)) == 1
    assert (await by_hand(world, "third")).state is State.LIVE
    assert await world.ledger.holds(TARGET) == []


async def _freezes(world: World) -> None:
    await asyncio.sleep(0.01)
    await world.ledger.place_hold(TARGET, NewHold("incident", "bob"))


async def test_a_hold_placed_between_the_first_look_and_the_pin_stops_a_persons_deploy() -> None:
    world = World.seeded()
    world.faults.before("builder.push", lambda: _freezes(world))

    outcome = await by_hand(world, "second")

    assert summary(outcome) == "refused: held"
    assert "by bob: incident" in outcome.release.reason
    assert world.runs() == {world.digest_of("first")}


@pytest.mark.parametrize("why", ["", "it is mended"])
async def test_a_hold_placed_while_a_person_deploys_comes_too_late_and_stays(why: str) -> None:
    """Nobody who deploys has agreed to end what they could not know of."""
    world = World.seeded()
    world.faults.before("stack.up", lambda: _freezes(world))

    outcome = await by_hand(world, "second", why=why)

    assert outcome.state is State.LIVE
    assert len(await world.ledger.holds(TARGET)) == 1
    assert any("placed after this was asked for" in each for each in outcome.release.notes)
    assert summary(await by_automation(world, "third")) == "refused: held"


async def test_a_deploy_lifts_the_hold_that_it_knew_and_leaves_the_one_that_came_later() -> None:
    world = World.seeded()
    await rolled_back(world)
    world.faults.before("stack.up", lambda: _freezes(world))

    outcome = await by_hand(world, "third")

    assert outcome.state is State.LIVE
    assert [each.by for each in await world.ledger.holds(TARGET)] == ["bob"]


@pytest.mark.parametrize("why", ["", " "])
async def test_a_rollback_without_a_reason_is_refused(why: str) -> None:
    """It would leave a hold that tells nobody anything."""
    world = World.seeded()
    await by_hand(world, "second")

    outcome = await rollback.release(world.ports(), replace(rollback_request(), why=why))

    assert summary(outcome) == "refused: reason-missing"
    assert world.runs() == {world.digest_of("second")}


async def test_a_rollback_that_a_restore_has_done_holds_what_that_release_had_tried() -> None:
    world = World.seeded()
    await by_hand(world, "second")
    reached = asyncio.Event()
    world.faults.before("stack.server-side-apply", reached.set)
    trying = asyncio.ensure_future(by_hand(world, "stuck"))
    await reached.wait()

    back = await rollback.release(world.ports(), rollback_request(world.commits["second"].sha))
    restored = await trying

    assert f"release {restored.release.id}" in back.release.reason
    [hold] = await world.ledger.holds(TARGET)
    assert hold.about == world.commits["stuck"]
    assert (await by_hand(world, "third")).state is State.LIVE
    assert len(await world.ledger.holds(TARGET)) == 1
    world.commits["mended"] = world.git.commit("mended", {"adapter/app.py": "good 5"})
    assert (await by_hand(world, "mended")).state is State.LIVE
    assert len(await world.ledger.holds(TARGET)) == 0


async def test_a_persons_deploy_of_what_was_rolled_away_from_leaves_the_hold() -> None:
    world = World.seeded()
    await rolled_back(world)

    outcome = await by_hand(world, "second")

    assert outcome.state is State.LIVE
    assert len(await world.ledger.holds(TARGET)) == 1
    assert any("is not newer than" in note for note in outcome.release.notes)


@pytest.mark.parametrize("name", ["crashing", "broken"])
async def test_a_persons_deploy_that_fails_leaves_the_hold(name: str) -> None:
    world = World.seeded()
    await rolled_back(world)

    await by_hand(world, name)

    assert len(await world.ledger.holds(TARGET)) == 1


async def test_a_hold_ends_at_its_end() -> None:
    world = World.seeded()
    until = world.ledger.now() + timedelta(hours=1)
    await world.ledger.place_hold(TARGET, NewHold("load test", "bob", until))

    held = await by_automation(world, "second")
    await asyncio.sleep(3600)
    after = await by_automation(world, "second")

    assert (summary(held), after.state) == ("refused: held", State.LIVE)
    assert "until 2026-01-01 01:00 UTC" in held.release.reason


async def test_a_hold_placed_while_automation_deploys_comes_too_late_and_stays() -> None:
    world = World.seeded()
    world.faults.before(
        "stack.up", lambda: world.ledger.restrict(TARGET, NewHold("load test", "bob"), "by hand")
    )

    outcome = await by_automation(world, "second")

    assert outcome.state is State.LIVE
    assert len(await world.ledger.holds(TARGET)) == 1


async def test_a_hold_by_hand_about_nothing_is_lifted_by_any_persons_deploy() -> None:
    world = World.seeded()
    await world.ledger.place_hold(TARGET, NewHold("load test", "bob"))

    assert (await by_hand(world, "second")).state is State.LIVE

    assert await world.ledger.holds(TARGET) == []


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_who_dies_as_it_becomes_live_leaves_no_hold_that_it_has_overcome(moment: str) -> None:
    world = World.seeded()
    await rolled_back(world)

    await _dead_at_the_end(world, "third", moment)
    await asyncio.sleep(20)
    await recover.finish_all(world.ports())

    [newest, *_] = await world.ledger.history(TARGET)
    assert newest.state is State.LIVE
    assert await world.ledger.holds(TARGET) == []
    world.commits["fix"] = world.git.commit("fix", {"adapter/app.py": "good 4"})
    assert (await by_automation(world, "fix")).state is State.LIVE


async def _dead_at_the_end(world: World, name: str, moment: str) -> None:
    """A person's deploy whose machine stops right before, or after, it is recorded as live."""
    process, stopped, save = world.process("mortal"), asyncio.Event(), world.ledger.save

    async def die() -> None:
        process.lose_power()
        stopped.set()
        await process.breathe()

    async def save_and_die(release: Release, *entries: Note | Restriction) -> Release:
        last = release.state is State.LIVE and CURRENT.get() is process
        if last and moment == "before":
            await die()
        saved = await save(release, *entries)
        if last:
            await die()
        return saved

    world.ledger.save = save_and_die  # type: ignore[method-assign] # where its machine stops
    request = replace(deploy_request(world.commits[name].sha), why="it is mended")
    process.start(deploy.release(gated(world.ports()), request))
    await stopped.wait()


async def test_a_hold_that_could_not_be_lifted_is_reported_and_stays() -> None:
    world = World.seeded()
    await rolled_back(world)

    async def unreachable(older: Commit, newer: Commit) -> bool:
        raise Unreachable(f"the mirror is away: {older}, {newer}")

    def from_now_on() -> None:
        world.git.is_ancestor = unreachable  # type: ignore[method-assign] # a fault of git's

    world.faults.after("stack.up", from_now_on)
    outcome = await by_hand(world, "third")

    assert outcome.state is State.LIVE
    assert len(await world.ledger.holds(TARGET)) == 1


@pytest.mark.parametrize("name", ["crashing", "hungry", "sick", "dying"])
async def test_a_disproven_image_vetoes_its_commit_at_that_target(name: str) -> None:
    world = World.seeded()

    outcome = await by_hand(world, name)

    assert summary(outcome) == "restored: disproven"
    [veto] = await world.ledger.vetoes(TARGET)
    assert (veto.commit, veto.by, veto.release) == (
        world.commits[name],
        "slipway",
        outcome.release.id,
    )
    assert veto.reason == outcome.release.reason
    assert any("it is vetoed" in note for note in outcome.release.notes)
    assert await world.ledger.vetoes("annotations-sink-prod") == []


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        ("stack.up", ApplyFailed("no such plugin")),
        ("stack.up", asyncio.CancelledError()),
        ("stack.up", RuntimeError("a defect")),
        ("config.write", ConfigConflict("somebody was faster")),
        ("config.write", Unreachable("ESC is away")),
    ],
)
async def test_any_other_failure_vetoes_nothing(effect: str, error: BaseException) -> None:
    world = World.seeded()
    world.faults.before(effect, raising(error))

    await asyncio.gather(asyncio.ensure_future(by_hand(world, "second")), return_exceptions=True)

    assert await world.ledger.vetoes(TARGET) == []


async def test_an_image_that_could_not_be_pulled_vetoes_nothing() -> None:
    """The pull secret's password was changed between the last look and the kubelet's pull."""
    world = World.seeded()
    passwords = dict(world.registry.passwords)
    world.faults.before("stack.server-side-apply", world.registry.passwords.clear)

    outcome = await by_hand(world, "second")
    world.registry.passwords.update(passwords)

    assert summary(outcome) == "restored: not-started"
    assert await world.ledger.vetoes(TARGET) == []
    assert (await by_automation(world, "second")).state is State.LIVE


async def test_an_image_that_an_update_of_somebody_elses_took_away_vetoes_nothing() -> None:
    """As a process does that was stopped before its `pulumi up`, and resumed late."""
    world = World.seeded()
    other = reference_of(world, "first")
    world.faults.after(
        "stack.up", lambda: world.cluster.set_image(world.deployment, other, "pulumi-kubernetes")
    )

    outcome = await by_hand(world, "second")

    assert summary(outcome) == "restored: not-started"
    assert f"asks for {other}" in outcome.release.reason
    assert await world.ledger.vetoes(TARGET) == []


async def test_automation_does_not_try_a_vetoed_commit_again() -> None:
    world = World.seeded()
    await by_hand(world, "crashing")
    before = len(world.updates), world.config.latest

    outcome = await by_automation(world, "crashing", why="a reason does not help a program")

    assert summary(outcome) == "refused: vetoed"
    assert "has ended 2 times" in outcome.release.reason
    assert (len(world.updates), world.config.latest) == before


async def test_automation_does_not_try_a_vetoed_image_under_another_commits_name() -> None:
    world = World.seeded()
    world.commits["bad"] = world.git.commit("bad", {"adapter/app.py": "crashes at once"})
    await by_hand(world, "bad")
    world.commits["same"] = same = world.git.commit("same image", {"adapter/README.md": "two"})
    bad = world.digest_of("bad")
    assert bad is not None
    world.registry.tagged[world.target.service.repository, same.sha] = bad

    outcome = await by_automation(world, "same")

    assert outcome.release.digest == world.digest_of("bad")
    assert summary(outcome) == "refused: vetoed"


async def test_so_it_is_where_a_person_has_vetoed_the_commit() -> None:
    world = World.seeded()
    await world.ledger.place_veto(TARGET, NewVeto(world.commits["second"], "leaks", "bob"))
    await by_hand(world, "second", even_if_vetoed="to see it leak")
    world.git.branches["main"] = world.commits["second"].sha
    world.commits["same"] = world.git.commit("same image", {"adapter/README.md": "two"})

    outcome = await by_automation(world, "same")

    assert outcome.release.digest == world.digest_of("second")
    assert summary(outcome) == "refused: vetoed"


async def test_a_person_passes_a_veto_by_saying_why_and_only_so() -> None:
    world = World.seeded()
    await world.ledger.place_veto(TARGET, NewVeto(world.commits["second"], "leaks", "bob"))

    refused = await by_hand(world, "second")
    passed = await by_hand(world, "second", even_if_vetoed="the leak was elsewhere")

    assert summary(refused) == "refused: vetoed"
    assert "--even-if-vetoed" in refused.release.reason
    assert passed.state is State.LIVE
    [newest, *_] = await world.ledger.history(TARGET)
    assert newest.request.options.even_if_vetoed == "the leak was elsewhere"


async def test_automation_can_not_say_why() -> None:
    world = World.seeded()
    await world.ledger.place_veto(TARGET, NewVeto(world.commits["second"], "leaks", "bob"))
    request = deploy_request(world.commits["second"].sha, Options(even_if_vetoed="because"))

    outcome = await deploy.release(world.ports(), replace(request, automatic=True))

    assert summary(outcome) == "refused: vetoed"


async def test_previous_passes_over_a_vetoed_commit() -> None:
    world = World.seeded()
    await by_hand(world, "second")
    await by_hand(world, "third")
    await world.ledger.place_veto(TARGET, NewVeto(world.commits["second"], "leaks", "bob"))

    outcome = await rollback.release(world.ports(), rollback_request())

    assert outcome.state is State.LIVE
    assert world.runs() == {world.digest_of("first")}


async def test_previous_says_what_it_passed_over_when_nothing_is_left() -> None:
    world = World.seeded()
    await by_hand(world, "second")
    await world.ledger.place_veto(TARGET, NewVeto(world.commits["first"], "leaks", "bob"))

    outcome = await rollback.release(world.ports(), rollback_request())

    assert summary(outcome) == "refused: no-candidate"
    assert f"not vetoed ({world.commits['first'].short})" in outcome.release.reason


async def test_a_person_may_roll_back_to_a_vetoed_commit_by_name() -> None:
    world = World.seeded()
    await by_hand(world, "second")
    await by_hand(world, "third")
    await world.ledger.place_veto(TARGET, NewVeto(world.commits["second"], "leaks", "bob"))

    outcome = await rollback.release(world.ports(), rollback_request(world.commits["second"].sha))

    assert outcome.state is State.LIVE
    assert world.value == reference_of(world, "second")


async def test_recovery_leaves_the_same_hold_and_veto_as_the_process_that_died() -> None:
    world = World.seeded()
    await by_hand(world, "second")
    await dead(world, "crashing", "after", "stack.server-side-apply")

    [outcome] = await recover.finish_all(world.ports())

    assert summary(outcome) == "restored: disproven"
    assert [each.commit for each in await world.ledger.vetoes(TARGET)] == [
        world.commits["crashing"]
    ]


async def test_recovery_lifts_the_hold_that_a_dead_process_had_overcome() -> None:
    world = World.seeded()
    await rolled_back(world)
    await dead(world, "third", "after", "stack.up")

    [outcome] = await recover.finish_all(world.ports())

    assert outcome.state is State.LIVE
    assert await world.ledger.holds(TARGET) == []

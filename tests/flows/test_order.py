"""Order: automation never moves a target, or `:main`, backwards on the main line."""

import asyncio
from dataclasses import replace

from flows import deploy
from slipway.domain.release import Outcome, State
from tests.fakes.world import World, deploy_request, summary
from tests.flows.dying import dead


async def by_automation(world: World, name: str) -> Outcome:
    request = replace(deploy_request(world.commits[name].sha), automatic=True)
    return await deploy.release(world.ports(), request)


async def by_hand(world: World, name: str) -> Outcome:
    return await deploy.release(world.ports(), deploy_request(world.commits[name].sha))


async def applied(world: World, name: str) -> "asyncio.Future[Outcome]":
    """The release of a commit, once the pod template asks for its image."""
    asks = asyncio.Event()

    async def say() -> None:
        asks.set()

    world.faults.after("stack.server-side-apply", say)
    release = asyncio.ensure_future(by_automation(world, name))
    await asks.wait()
    assert world.commits[name].sha in str(world.deployment.image)
    return release


async def test_automation_goes_forward() -> None:
    world = World.seeded()

    assert (await by_automation(world, "second")).state is State.LIVE
    assert (await by_automation(world, "third")).state is State.LIVE


async def test_an_older_commit_is_superseded_before_anything_is_built() -> None:
    world = World.seeded()
    await by_automation(world, "third")
    world.faults.effects.clear()

    outcome = await by_automation(world, "second")

    assert summary(outcome) == "refused: superseded"
    assert f"by {world.commits['third']}" in outcome.release.reason
    assert not {"builder.build", "config.write", "stack.up"} & set(world.faults.effects)


async def test_a_late_build_of_an_older_commit_is_superseded() -> None:
    """It began first, and its build took longer than all of the newer one's release."""
    world = World.seeded()
    world.faults.before("builder.build", lambda: asyncio.sleep(600))
    older = asyncio.ensure_future(by_automation(world, "second"))
    await asyncio.sleep(1)

    newer = await by_automation(world, "third")
    late = await older

    assert newer.state is State.LIVE
    assert summary(late) == "refused: superseded"
    assert world.runs() == {world.digest_of("third")}
    assert world.registry.tagged[world.target.service.repository, "main"] == world.digest_of(
        "third"
    )


async def test_a_newer_commit_that_a_dead_release_has_left_half_applied_is_not_live() -> None:
    """What the pod template asks for is taken back by the recovery that comes first."""
    world = World.seeded()
    await dead(world, "crashing", "after", "stack.up")
    assert world.commits["crashing"].sha in str(world.deployment.image)

    older = await by_automation(world, "third")

    assert older.state is State.LIVE, older.release.reason
    assert world.runs() == {world.digest_of("third")}


async def test_a_newer_commit_whose_release_is_under_way_is_not_live_yet() -> None:
    world = World.seeded()
    newer = await applied(world, "crashing")

    older = await by_automation(world, "third")

    assert (await newer).state is State.RESTORED
    assert older.state is State.LIVE, older.release.reason


async def test_a_newer_commit_that_has_become_live_meanwhile_supersedes_who_waited() -> None:
    world = World.seeded()
    newer = await applied(world, "third")

    older = await by_automation(world, "second")

    assert (await newer).state is State.LIVE
    assert summary(older) == "refused: superseded"


async def test_a_person_who_goes_back_by_a_deploy_is_told_of_rollback() -> None:
    world = World.seeded()
    await by_hand(world, "third")

    assert summary(await by_hand(world, "second")) == "refused: older-than-live"


async def test_an_image_shared_with_an_older_commit_does_not_let_automation_back() -> None:
    """What is live is the newer commit, although its image's label names the older one."""
    world = World.seeded()
    await by_hand(world, "second")
    world.commits["between"] = world.git.commit("between", {"adapter/app.py": "good 5"})
    world.commits["again"] = world.git.commit("revert", {"adapter/app.py": "good 2"})
    second = world.digest_of("second")
    assert second is not None
    again = world.commits["again"].sha
    world.registry.tagged[world.target.service.repository, again] = second
    live = await by_hand(world, "again")
    assert live.release.digest == world.digest_of("second")

    outcome = await by_automation(world, "between")

    assert summary(outcome) == "refused: superseded"
    assert world.runs() == {world.digest_of("second")}

"""The program and the stack: what a preview finds, and what other people do to the stack."""

import asyncio
import re

import pytest

from slipway.domain.release import State
from slipway.domain.target import Allowance
from tests.sandbox.releases.disturbing import after_write, before_up, before_write
from tests.sandbox.releases.ends import (
    Told,
    facts,
    is_live,
    is_restored,
    nothing_is_held,
    refused,
    sound,
)
from tests.sandbox.releases.real_world import SINK, RealWorld

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]

PROGRAM = "cluster/Pulumi.yaml"
URN = "urn:pulumi:prod::oceanid-cluster::kubernetes:apps/v1:Deployment::"
MEMORY = "spec.template.spec.containers[0].resources.limits.memory"


def more_memory(program: str) -> str:
    """Somebody's change of the program: it changes both Deployments."""
    return program.replace("memory: 64Mi", "memory: 96Mi")


async def test_a_program_that_fails_at_preview_is_refused_in_the_engines_words(
    world: RealWorld,
) -> None:
    await sound(world)
    text = world.file(PROGRAM)
    commit = world.commit(files={PROGRAM: text.replace("${sinkImage}", "${gone}", 1)})
    try:
        outcome = await refused(world, commit, "preview-failed")
    finally:
        world.commit(files={PROGRAM: text})

    assert 'resource, variable, or config value "gone" not found' in outcome.release.reason
    assert f"at commit {commit.short}" in outcome.release.reason


async def test_a_program_that_changes_more_is_refused_with_urn_and_path_unless_allowed(
    world: RealWorld,
) -> None:
    await sound(world)
    text = world.file(PROGRAM)
    wider = world.commit(files={PROGRAM: more_memory(text)})
    outcome = await refused(world, wider, "not-image-only")
    printed = re.findall(r"--allow-change '(.*?)'", outcome.release.reason)
    allowances = tuple(map(Allowance.parse, printed))
    allowed = await world.deploy(wider, allow_changes=allowances)
    memory = memory_of(world)
    world.commit(files={PROGRAM: text})
    await asyncio.to_thread(world.operator.up)

    assert {(each.urn, each.path) for each in allowances} == {
        (f"{URN}{name}", MEMORY) for name in ("ls-triton-adapter", "annotations-sink")
    }
    await is_live(world, allowed)
    assert memory == "96Mi"
    assert allowed.release.request.options.allow_changes == allowances


async def test_the_other_services_unapplied_pin_is_seen_by_the_guard(world: RealWorld) -> None:
    await sound(world)
    value = await world.value(SINK)
    assert value is not None
    other = f"{value.rpartition('/')[0]}/annotations-sink:main"
    with world.esc.edited(lambda text: text.replace(value, other)):
        outcome = await refused(world, world.commit(), "not-image-only")
        revision = (await facts(world)).revision

    path = "spec.template.spec.containers[0].image"
    assert f"{URN}annotations-sink:{path}" in outcome.release.reason
    assert f"revision {revision} by operator" in outcome.release.reason


async def test_a_busy_stack_is_waited_for_and_then_the_release_goes_live(
    world: RealWorld, told: Told
) -> None:
    await sound(world)
    commit = world.commit()

    with world.operator.holding_the_stack() as let_go:
        deploying = asyncio.create_task(world.deploy(commit))
        await until_told(told, "has an update under way: waiting", deploying)
        let_go()
        outcome = await deploying

    await is_live(world, outcome)


async def test_a_stack_that_becomes_busy_before_the_apply_is_waited_for_and_guarded_again(
    world: RealWorld, told: Told
) -> None:
    await sound(world)
    commit, waiting = world.commit(), asyncio.Event()

    async def hold() -> None:
        waiting.set()
        await held.wait()

    held = asyncio.Event()
    deploying = asyncio.create_task(
        world.deploy(commit, before_up(await world.ports(), hold)),
    )
    async with asyncio.timeout(120):
        await waiting.wait()
    with world.operator.holding_the_stack() as let_go:
        held.set()
        await until_told(told, "is held by another update", deploying)
        let_go()
        outcome = await deploying

    await is_live(world, outcome)
    assert told.has("was updated since the decision: guarding again")


async def test_a_harmless_update_between_preview_and_apply_is_guarded_again_and_goes_live(
    world: RealWorld, told: Told
) -> None:
    """Their `pulumi up` takes our pin along."""
    await sound(world)
    commit = world.commit()

    async def meanwhile() -> None:
        await asyncio.to_thread(world.operator.up)

    outcome = await world.deploy(commit, after_write(await world.ports(), meanwhile))

    await is_live(world, outcome)
    assert told.has("was updated since the decision: guarding again")


async def test_an_update_of_more_between_preview_and_apply_is_guarded_again_and_left_alone(
    world: RealWorld, told: Told
) -> None:
    before = await sound(world)

    async def meanwhile() -> None:
        await asyncio.to_thread(world.operator.up, more_memory)

    try:
        outcome = await world.deploy(world.commit(), before_write(await world.ports(), meanwhile))

        assert told.has("was updated since the decision: guarding again")
        assert outcome.code == "not-image-only", outcome.release.reason
        assert f"{URN}ls-triton-adapter:{MEMORY}" in outcome.release.reason
        await is_restored(world, outcome, before)
        assert memory_of(world) == "96Mi"
    finally:
        await asyncio.to_thread(world.operator.up)


async def test_an_update_of_more_that_takes_our_pin_along_is_for_a_person_to_decide(
    world: RealWorld,
) -> None:
    """Going back would undo their change too, so it is told and left."""
    before = await sound(world)

    async def meanwhile() -> None:
        await asyncio.to_thread(world.operator.up, more_memory)

    try:
        outcome = await world.deploy(world.commit(), after_write(await world.ports(), meanwhile))

        assert outcome.state is State.NEEDS_ATTENTION, outcome.release.reason
        assert outcome.code == "not-image-only"
        assert "going back would undo it too" in outcome.release.reason
        assert f"{URN}ls-triton-adapter:{MEMORY}" in outcome.release.reason
        assert (await facts(world)).definition == before.definition
        assert memory_of(world) == "96Mi"
        await nothing_is_held(world)
    finally:
        await asyncio.to_thread(world.operator.up)


def memory_of(world: RealWorld) -> str:
    """The memory limit of the adapter's container, as the cluster has it."""
    found = world.kubectl.get("deployment", "ls-triton-adapter")
    [container] = found["spec"]["template"]["spec"]["containers"]
    return str(container["resources"]["limits"]["memory"])


async def until_told(told: Told, text: str, release: asyncio.Task[object]) -> None:
    """Wait for a line of a release that must not end before it."""
    async with asyncio.timeout(120):
        while not told.has(text):
            assert not release.done(), told.lines()
            await asyncio.sleep(0.1)

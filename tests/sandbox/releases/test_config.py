"""What ESC holds, refuses, or has become meanwhile."""

import pytest

from slipway.domain.image import ImageReference
from slipway.domain.release import State
from tests.sandbox.releases.disturbing import before_write
from tests.sandbox.releases.ends import (
    Told,
    facts,
    is_live,
    nothing_is_held,
    refused,
    refused_at_preflight,
    sound,
)
from tests.sandbox.releases.real_world import RealWorld

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]

STACK_FILE = "cluster/Pulumi.prod.yaml"


async def test_an_esc_key_that_is_missing_is_refused_at_preflight(world: RealWorld) -> None:
    await sound(world)
    with world.esc.edited(lambda text: text.replace(":adapterImage:", ":gone:")):
        outcome = await refused_at_preflight(world, "config-key-unusable")

    assert "oceanid-cluster:adapterImage is missing at revision" in outcome.release.reason
    assert "--first" in outcome.release.reason


async def test_an_esc_value_that_the_stack_file_shadows_is_refused(world: RealWorld) -> None:
    await sound(world)
    text, value = world.file(STACK_FILE), await world.value()
    shadowing = f"{text}config:\n  oceanid-cluster:adapterImage: {value}\n"
    commit = world.commit(files={STACK_FILE: shadowing})
    try:
        outcome = await refused(world, commit, "config-key-unusable")
    finally:
        world.commit(files={STACK_FILE: text})

    assert f"{STACK_FILE} sets oceanid-cluster:adapterImage" in outcome.release.reason
    assert "remove the key from the stack file" in outcome.release.reason


async def test_a_definition_that_esc_refuses_is_refused_in_its_words(world: RealWorld) -> None:
    """It was good when it was read, and what it imports is deleted before it is written."""
    await sound(world)
    world.esc.create("team-settings")

    async def delete() -> None:
        world.esc.delete("team-settings")

    with world.esc.edited(lambda text: f"imports: [team-settings]\n{text}"):
        ports = before_write(await world.ports(), delete)
        outcome = await refused(world, world.commit(), "config-rejected", ports=ports)

    assert "team-settings" in outcome.release.reason
    assert "not found" in outcome.release.reason
    assert "nothing was written" in outcome.release.reason


async def test_an_image_that_somebody_pins_meanwhile_is_left_to_them(world: RealWorld) -> None:
    before = await sound(world)
    ports = await world.ports()
    theirs = f"{ports.target.service.repository}:main"
    value = await world.value()
    assert value is not None

    async def edit() -> None:
        world.esc.edit(lambda text: text.replace(value, theirs))

    with world.esc.edited(str):
        outcome = await world.deploy(world.commit(), before_write(ports, edit))
        now = await facts(world)

    assert (outcome.state, outcome.code) == (State.REFUSED, "config-changed")
    assert now.definition == before.definition.replace(value, theirs)
    assert now.revision == before.revision + 2
    assert (now.updates, now.image, now.running) == (before.updates, before.image, before.running)
    assert f"revision {now.revision} by operator" in outcome.release.reason
    await nothing_is_held(world)


async def test_somebody_elses_other_key_is_kept_and_the_release_goes_live(world: RealWorld) -> None:
    async def edit() -> None:
        world.esc.edit(lambda text: text.replace('pager:  "on"', 'pager:  "off"'))

    outcome = await world.deploy(world.commit(), before_write(await world.ports(), edit))

    await is_live(world, outcome)
    assert 'pager:  "off"' in world.esc.definition()


async def test_a_new_value_that_nothing_had_applied_goes_live_as_it_stands(
    world: RealWorld,
) -> None:
    await sound(world)
    commit, value = world.commit(), await world.value()
    assert value is not None
    image = await world.publish(commit)
    world.esc.edit(lambda text: text.replace(value, image))
    before = await facts(world)

    outcome = await world.deploy(commit)

    await is_live(world, outcome)
    assert outcome.release.image == image
    assert (await facts(world)).revision == before.revision


async def test_a_new_value_that_nothing_had_applied_and_that_fails_restores_what_ran(
    world: RealWorld,
) -> None:
    before = await sound(world)
    commit, value = world.commit("crashes"), await world.value()
    assert value is not None
    image = await world.publish(commit)
    world.esc.edit(lambda text: text.replace(value, image))

    outcome = await world.deploy(commit)

    await restored_what_ran(world, before.image)
    assert outcome.state is State.RESTORED, outcome.release.reason
    assert await world.value() != image
    assert (await facts(world)).running == before.running


async def test_a_third_value_that_nobody_applied_is_reported_and_never_restored(
    world: RealWorld, told: Told
) -> None:
    before = await sound(world)
    value = await world.value()
    assert value is not None
    third = f"{(await world.eyes()).target.service.repository}:main"
    world.esc.edit(lambda text: text.replace(value, third))

    outcome = await world.deploy(world.commit("crashes"))

    await restored_what_ran(world, before.image)
    assert outcome.state is State.RESTORED, outcome.release.reason
    assert (await facts(world)).running == before.running
    unapplied = f"{third!r}, which nothing had applied"
    [note] = [each for each in outcome.release.notes if unapplied in each]
    assert told.has(note)


async def restored_what_ran(world: RealWorld, image: str) -> None:
    """ESC holds the image that ran, to the digest, and it is what everything agrees on."""
    value = await world.value()
    seen = await world.observe()
    assert value is not None
    assert seen.image == value
    assert ImageReference.parse(value).digest in await world.running()
    assert ImageReference.parse(value).repository == ImageReference.parse(image).repository
    await nothing_is_held(world)

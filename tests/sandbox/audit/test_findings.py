"""Each condition is made as people and tools really make it, found, mended as printed, and gone."""

import asyncio

import pytest

from slipway.domain.image import ImageReference
from slipway.domain.release import State
from tests.sandbox.audit.keyboard import Keyboard, require_mended
from tests.sandbox.audit.looking import found, released, repository
from tests.sandbox.releases.ends import facts
from tests.sandbox.releases.others import pull_account_revoked
from tests.sandbox.releases.real_world import RealWorld
from tests.sandbox.witness import copy_in_registry, delete_from_registry

pytestmark = [pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(900)]


async def test_kubectl_set_image_is_found_and_given_back_to_pulumi(
    world: RealWorld, keyboard: Keyboard
) -> None:
    before, now = await released(world)
    seen = await world.observe()
    await asyncio.to_thread(
        world.kubectl, "set", "image", f"deployment/{seen.name}", f"adapter={before.image}"
    )

    findings = await found(world)
    assert set(findings) == {"IMG006", "SYS004"}
    assert before.image in findings["IMG006"].seen
    await keyboard.type(findings["IMG006"].remedy.command)

    assert await found(world) == {}
    assert (await world.observe()).image == now.image
    await asyncio.to_thread(world.kubectl, "rollout", "status", f"deployment/{seen.name}")
    again = await world.deploy(world.commit())
    assert again.state is State.LIVE, again.release.reason


async def test_an_overwritten_tag_is_found_and_pointed_back(
    world: RealWorld, keyboard: Keyboard
) -> None:
    before, now = await released(world)
    path = await repository(world)
    await asyncio.to_thread(
        copy_in_registry, world.box, f"{path}@{before.digest}", f"{path}:{now.commit}"
    )

    # Its label names another commit than the tag only for those who go by the tag.
    await require_mended(world, keyboard, "IMG004")
    ports = await world.eyes()
    assert now.commit is not None
    there = await ports.registry.find(ImageReference(path, now.commit.sha))
    assert there is not None
    assert there.digest == now.digest


async def test_main_that_was_moved_is_found_and_moved_back(
    world: RealWorld, keyboard: Keyboard
) -> None:
    before, _ = await released(world)
    path = await repository(world)
    await asyncio.to_thread(copy_in_registry, world.box, f"{path}@{before.digest}", f"{path}:main")

    await require_mended(world, keyboard, "IMG005")


async def test_an_edited_esc_value_is_found_with_its_author_and_undone(
    world: RealWorld, keyboard: Keyboard
) -> None:
    before, now = await released(world)
    await asyncio.to_thread(world.esc.edit, lambda text: text.replace(now.image, before.image))
    revision = (await facts(world)).revision
    await asyncio.to_thread(world.esc.edit, lambda text: text + "# another edit\n")

    findings = await found(world)
    assert set(findings) == {"IMG006"}
    assert f"{before.image} since revision {revision} by operator" in findings["IMG006"].seen
    await keyboard.type(findings["IMG006"].remedy.command)

    assert await found(world) == {}
    assert await world.value() == now.image


async def test_a_deleted_image_is_found_while_its_pods_still_run_and_rolled_back_from(
    world: RealWorld, keyboard: Keyboard
) -> None:
    before, now = await released(world)
    path = await repository(world)
    await asyncio.to_thread(delete_from_registry, world.box, f"{path}:{now.commit}")

    await require_mended(world, keyboard, "IMG001")
    assert (await world.observe()).image == before.image


async def test_a_revoked_pull_secret_is_found_and_nothing_once_it_is_renewed(
    world: RealWorld,
) -> None:
    await released(world, 1)

    with pull_account_revoked(world.box):
        findings = await found(world)
    assert set(findings) == {"IMG003"}

    assert await found(world) == {}

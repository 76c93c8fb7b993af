"""Images that are not what their names say, made by hand, found, mended as printed, and gone."""

import asyncio
from dataclasses import replace

import pytest

from slipway.domain.image import ImageReference
from slipway.domain.publication import REVISION_LABEL, SOURCE_LABEL
from tests.sandbox.audit.by_hand import apply_by_hand, variant
from tests.sandbox.audit.keyboard import Keyboard, require_mended
from tests.sandbox.audit.looking import released, repository
from tests.sandbox.releases.others import another_node
from tests.sandbox.releases.real_world import RealWorld
from tests.sandbox.witness import copy_in_registry

pytestmark = [pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(900)]


async def test_a_label_that_names_another_commit_is_found_and_another_one_deployed(
    world: RealWorld, keyboard: Keyboard
) -> None:
    before, _ = await released(world)
    path = await repository(world)
    foreign = world.commit()
    world.commit()
    await asyncio.to_thread(
        copy_in_registry, world.box, f"{path}@{before.digest}", f"{path}:{foreign}"
    )
    await apply_by_hand(world, f"{path}:{foreign}")

    await require_mended(world, keyboard, "IMG009")


async def test_a_pod_on_an_old_digest_of_its_tag_is_found_and_replaced(
    world: RealWorld, keyboard: Keyboard
) -> None:
    """Somebody has built and pushed the commit again; the node keeps the copy that it has."""
    [now] = await released(world, 1)
    path, tag = await repository(world), world.commit()  # which no release has ever published
    await variant(world, now, tag)
    await apply_by_hand(world, f"{path}:{tag}")
    rebuilt = await variant(world, now, tag, {"built": "again"})

    await require_mended(world, keyboard, "IMG007")
    assert await world.running() == {rebuilt}


async def test_a_tag_that_was_moved_to_another_commits_image_is_found_and_no_pod_is_blamed(
    world: RealWorld, keyboard: Keyboard
) -> None:
    """New pods would run what the tag names now, which nobody has asked for."""
    before, now = await released(world)
    path, ports = await repository(world), await world.eyes()
    tag = world.commit()
    await variant(world, before, tag)
    await apply_by_hand(world, f"{path}:{tag}")
    moved = await ports.registry.find(ImageReference(path, digest=now.digest))
    assert moved is not None
    await ports.registry.tag(moved, tag.sha)

    await require_mended(world, keyboard, "IMG009")


async def test_an_image_without_a_label_is_found_and_the_newest_commit_deployed(
    world: RealWorld, keyboard: Keyboard
) -> None:
    [now] = await released(world, 1)
    path, tag, newest = await repository(world), world.commit(), world.commit()
    await variant(world, now, tag, {REVISION_LABEL: ""})
    await apply_by_hand(world, f"{path}:{tag}")

    await require_mended(world, keyboard, "IMG009")
    assert (await world.newest()).release.commit == newest


async def test_an_image_without_a_label_that_is_the_newest_commits_is_found_until_adopted(
    world: RealWorld, keyboard: Keyboard
) -> None:
    [now] = await released(world, 1)
    path, tag = await repository(world), world.commit()
    digest = await variant(world, now, tag, {REVISION_LABEL: ""})
    await apply_by_hand(world, f"{path}:{tag}@{digest}")

    typed = await require_mended(world, keyboard, "IMG009")
    assert typed.endswith(" --adopt-image")
    assert await world.running() == {digest}


async def test_an_image_of_another_source_is_found_and_the_newest_commit_deployed(
    world: RealWorld, keyboard: Keyboard
) -> None:
    [now] = await released(world, 1)
    path, tag, _ = await repository(world), world.commit(), world.commit()
    service = (await world.eyes()).target.service
    ports = await world.ports(service=replace(service, source="https://github.com/acme/shop"))
    await variant(world, now, tag, {SOURCE_LABEL: "https://github.com/mallory/shop"})
    await apply_by_hand(world, f"{path}:{tag}")

    await require_mended(world, keyboard, "IMG009", ports=ports)


async def test_an_image_that_no_node_can_run_is_found_and_rolled_back_from(
    world: RealWorld, keyboard: Keyboard
) -> None:
    """Built on a machine of another kind; a node starts it all the same, until it can't."""
    [now] = await released(world, 1)
    path, tag = await repository(world), world.commit()
    await variant(world, now, tag, architecture="arm64")
    await apply_by_hand(world, f"{path}:{tag}")

    typed = await require_mended(world, keyboard, "IMG010")
    assert typed.startswith("slipway rollback ")


async def test_a_node_that_no_image_is_for_is_found_and_kept_free(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)

    with another_node(world.kubectl, "arm64"):
        await require_mended(world, keyboard, "IMG010")

"""What is wrong with images, made as it really happens, found, mended as printed, and gone."""

import asyncio
import re
from dataclasses import replace

import pytest

from slipway.domain.image import ImageReference
from tests.sandbox.audit.by_hand import apply_by_hand
from tests.sandbox.audit.keyboard import Keyboard, require_mended
from tests.sandbox.audit.looking import (
    found,
    found_at_last,
    found_of_everything,
    released,
    repository,
)
from tests.sandbox.audit.manifests import days_ago, put_image, put_index, put_signature
from tests.sandbox.releases.others import delete_everywhere, pull_password_changed
from tests.sandbox.releases.real_world import RealWorld
from tests.sandbox.witness import copy_in_registry, delete_from_registry
from tests.signing import Signer

pytestmark = [pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(900)]


async def test_a_template_that_names_a_moving_tag_is_found_and_pinned(
    world: RealWorld, keyboard: Keyboard
) -> None:
    [now] = await released(world, 1)
    await apply_by_hand(world, f"{await repository(world)}:main")

    await require_mended(world, keyboard, "IMG008")
    assert (await world.observe()).image == now.image


async def test_an_image_that_nobody_has_pushed_is_found_where_esc_names_it_and_replaced(
    world: RealWorld, keyboard: Keyboard
) -> None:
    [now] = await released(world, 1)
    nowhere = f"{await repository(world)}:{world.commit()}"
    await asyncio.to_thread(world.esc.edit, lambda text: text.replace(now.image, nowhere))

    findings = await found(world)
    assert set(findings) == {"IMG001", "IMG006"}
    assert findings["IMG001"].about == nowhere
    await keyboard.type(findings["IMG001"].remedy.command)

    assert await found(world) == {}
    assert await world.value() == now.image


async def test_an_image_of_another_repository_is_found_and_replaced(
    world: RealWorld, keyboard: Keyboard
) -> None:
    [now] = await released(world, 1)
    path = await repository(world)
    elsewhere = f"{path}-elsewhere:{now.commit}"
    await asyncio.to_thread(copy_in_registry, world.box, f"{path}:{now.commit}", elsewhere)
    await apply_by_hand(world, elsewhere)

    await require_mended(world, keyboard, "IMG015")


async def test_a_part_of_an_index_that_is_gone_is_found_and_rolled_back_from(
    world: RealWorld, keyboard: Keyboard
) -> None:
    before, now = await released(world)
    path = await repository(world)
    assert now.digest is not None
    index = await asyncio.to_thread(put_index, world.box, path, {now.digest: "linux/amd64"})
    await apply_by_hand(world, f"{path}:{now.commit}@{index}")
    assert await found(world) == {}
    await asyncio.to_thread(delete_from_registry, world.box, f"{path}@{now.digest}")

    await require_mended(world, keyboard, "IMG010")
    assert (await world.observe()).image == before.image


async def test_pods_that_cannot_pull_are_found_beside_the_image_that_is_gone(
    world: RealWorld, keyboard: Keyboard
) -> None:
    before, now = await released(world)
    ports = await world.eyes()
    image = await ports.registry.find(ImageReference.parse(now.image))
    assert image is not None
    await asyncio.to_thread(delete_everywhere, world.box, image, str(now.commit))
    await asyncio.to_thread(world.kubectl, "delete", "pod", "--selector=app=ls-triton-adapter")

    findings = await found_at_last(world, "IMG001", "IMG013")
    await keyboard.type(findings["IMG001"].remedy.command)

    assert await found(world) == {}
    assert (await world.observe()).image == before.image


async def test_a_target_whose_way_back_was_deleted_has_one_again_after_a_deploy(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world)
    path, ports = await repository(world), await world.eyes()
    history = await ports.ledger.history(ports.target.name)
    running = await world.running()
    others = {each.digest for each in history if each.digest and each.digest not in running}
    for each in others:
        if await ports.registry.find(ImageReference(path, digest=each)) is not None:
            await asyncio.to_thread(delete_from_registry, world.box, f"{path}@{each}")

    findings = await found(world)
    assert set(findings) == {"IMG012"}
    await keyboard.type(findings["IMG012"].remedy.command)  # which shows that nothing is left

    world.commit()  # only then there is something to deploy
    await require_mended(world, keyboard, "IMG012")


async def test_a_changed_password_of_the_registry_is_found_until_it_stands_in_esc(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)
    await asyncio.to_thread(world.operator.pull)
    before = world.esc.definition()

    with pull_password_changed(world.box) as renewed:
        findings = await found(world)
        assert set(findings) == {"IMG003"}
        await asyncio.to_thread(world.esc.edit, lambda text: with_password(text, renewed))
        await keyboard.type(findings["IMG003"].remedy.command)
        assert await found(world) == {}
    await asyncio.to_thread(world.esc.edit, lambda _: before)
    await keyboard.type(findings["IMG003"].remedy.command)
    assert await found(world) == {}


async def test_an_unsigned_image_is_found_until_its_targets_key_has_signed_it(
    world: RealWorld,
) -> None:
    """cosign is not on every machine: `tests/signing.py` writes the bytes that it writes."""
    [now] = await released(world, 1)
    signer, eyes = Signer(), await world.eyes()
    service = replace(eyes.target.service, signed_by=signer.public)
    ports = await world.ports(service=service)
    assert now.digest is not None

    unsigned = await found(world, ports=ports)
    assert set(unsigned) == {"IMG014"}
    for who in (Signer(), signer):
        assert set(await found(world, ports=ports)) == {"IMG014"}
        signed = who.sign(now.digest, service.repository)
        await asyncio.to_thread(put_signature, world.box, service.repository, now.digest, signed)

    assert await found(world, ports=ports) == {}


async def test_an_old_image_that_nobody_needs_is_found_by_a_whole_audit_and_pruned(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)
    path, tag = await repository(world), world.commit(days_old=60).sha
    digest = await asyncio.to_thread(put_image, world.box, path, tag, days_ago(60))

    findings = await found_of_everything(world)
    assert set(findings) == {"IMG016"}
    await keyboard.type(findings["IMG016"].remedy.command)

    assert await found_of_everything(world) == {}
    there = await (await world.eyes()).registry.find(ImageReference(path, digest=digest))
    assert there is None


def with_password(text: str, password: str) -> str:
    """The environment's text with another token of the registry, as somebody types it in."""
    secret = re.compile(r"( +)(oceanid-cluster:ghcrToken:\n)((\1 +.*\n)+)")
    renewed, count = secret.subn(rf"\1\2\1  fn::secret: {password}\n", text)
    assert count == 1, text
    return renewed

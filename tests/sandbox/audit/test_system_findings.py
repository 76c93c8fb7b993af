"""What is wrong around the image, made as it really happens, found, mended as printed, and gone."""

import asyncio
import os
import shlex
import signal
from datetime import UTC, datetime, timedelta

import pytest

from sandbox import repository
from slipway.cli.doctor import NOT_IN_ORDER
from slipway.cli.ends import EXIT_CODES
from slipway.domain.hold import NewHold
from slipway.domain.release import State
from tests.sandbox.audit.keyboard import Keyboard, require_mended
from tests.sandbox.audit.looking import found, found_at_last, released
from tests.sandbox.conftest import until
from tests.sandbox.releases.real_world import ADAPTER, RealWorld

pytestmark = [pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(900)]


async def test_replicas_that_kubectl_scaled_are_found_and_given_back(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)
    seen = await world.observe()
    await asyncio.to_thread(world.kubectl, "scale", f"deployment/{seen.name}", "--replicas=2")
    await asyncio.to_thread(
        world.kubectl, "rollout", "status", f"deployment/{seen.name}", "--timeout=60s"
    )

    await require_mended(world, keyboard, "SYS004")
    await asyncio.to_thread(world.operator.mend)
    assert await found(world) == {}


async def test_a_field_of_another_tool_is_found_and_taken_back(
    world: RealWorld, keyboard: Keyboard
) -> None:
    [now] = await released(world, 1)
    seen = await world.observe()
    patch = f'{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"{seen.name}"}},'
    patch += '"spec":{"replicas":1}}'
    await asyncio.to_thread(
        world.kubectl,
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=argocd-controller",
        "--filename=-",
        stdin=patch,
    )

    await require_mended(world, keyboard, "SYS003")
    assert (await world.observe()).image == now.image


async def test_a_key_that_was_made_a_secret_is_found_and_plain_again(
    world: RealWorld, keyboard: Keyboard
) -> None:
    [now] = await released(world, 1)
    plain = f"oceanid-cluster:adapterImage: {now.image}"
    secret = f"oceanid-cluster:adapterImage: {{ fn::secret: '{now.image}' }}"
    await asyncio.to_thread(world.esc.edit, lambda text: text.replace(plain, secret))

    await require_mended(world, keyboard, "SYS005")
    assert await world.value() == now.image


async def test_a_repository_that_cannot_be_fetched_is_unknown_and_doctor_says_why(
    world: RealWorld,
) -> None:
    await released(world, 1)
    path = repository.path(world.box)
    away = path.with_name("away.git")

    path.rename(away)
    try:
        findings = await found(world)
        assert set(findings) == {"SYS001"}
        typed = shlex.split(findings["SYS001"].remedy.command)
        code, printed, errors = await world.type(*typed[1:])
    finally:
        away.rename(path)

    assert (typed[0], code) == ("slipway", NOT_IN_ORDER), errors
    assert str(path) in printed
    assert await found(world) == {}


async def test_a_key_that_the_stack_file_shadows_is_found_until_it_is_removed_there(
    world: RealWorld,
) -> None:
    [now] = await released(world, 1)
    path = "cluster/Pulumi.prod.yaml"
    before = world.file(path)
    world.commit(files={path: f"{before}\nconfig:\n  oceanid-cluster:adapterImage: {now.image}\n"})

    findings = await found(world)
    assert set(findings) == {"SYS002"}
    assert findings["SYS002"].remedy.sentence == f"remove the key from {path} and commit that"
    world.commit(files={path: before})

    assert await found(world) == {}


async def test_a_deployment_that_was_deleted_is_found_and_made_again(
    world: RealWorld, keyboard: Keyboard
) -> None:
    [now] = await released(world, 1)
    await asyncio.to_thread(world.operator.pull)
    seen = await world.observe()
    await asyncio.to_thread(world.kubectl, "delete", "deployment", seen.name)

    await require_mended(world, keyboard, "SYS008")
    assert (await world.observe()).image == now.image


async def test_a_hold_that_nobody_ends_is_found_after_a_week_and_released(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)
    later = datetime.now(UTC) + timedelta(days=9)
    await (await world.eyes()).ledger.place_hold(ADAPTER, NewHold("it is Friday", "bob"))
    assert await found(world) == {}

    findings = await found(world, later)
    assert set(findings) == {"SYS006"}
    await keyboard.type(findings["SYS006"].remedy.command)

    assert await found(world, later) == {}


async def test_a_release_whose_process_was_killed_is_found_and_finished(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)
    wanted = world.commit()
    process = world.slipway("deploy", ADAPTER, wanted.sha, "--reason", "a test", "--local")
    await asyncio.to_thread(until_it_applies, world)
    os.killpg(process.pid, signal.SIGKILL)
    await asyncio.to_thread(process.wait)

    # Where the update was struck before it had applied anything, ESC is ahead of it.
    findings = await found_at_last(world, "SYS007", perhaps="IMG006")
    await keyboard.type(findings["SYS007"].remedy.command, EXIT_CODES[State.RESTORED])

    assert await found(world) == {}
    assert (await world.newest()).state in {State.LIVE, State.RESTORED}


def until_it_applies(world: RealWorld) -> None:
    """Wait until somebody's update holds the stack."""
    until(world.operator.stack_is_held, "the release's update holds the stack", within=240.0)

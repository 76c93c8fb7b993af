"""What is wrong around the image, made as it really happens, found, mended as printed, and gone."""

import asyncio
import json
import os
import signal
from datetime import UTC, datetime, timedelta

import pytest

from slipway.cli.ends import EXIT_CODES
from slipway.domain.fitness import let_go
from slipway.domain.hold import NewHold
from slipway.domain.release import State
from tests.contracts.cluster_surroundings import AUTOSCALER
from tests.sandbox.audit.keyboard import Keyboard, require_mended
from tests.sandbox.audit.looking import found, found_at_last, found_of_everything, released
from tests.sandbox.conftest import until
from tests.sandbox.releases.real_world import ADAPTER, RealWorld

pytestmark = [pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(900)]

STACK_FILE, PROGRAM = "cluster/Pulumi.prod.yaml", "cluster/Pulumi.yaml"


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


async def test_an_autoscaler_is_found_until_the_program_leaves_the_replicas_to_it(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)
    program = world.file(PROGRAM)
    await autoscale(world, 2)
    world.commit(files={PROGRAM: program.replace("        replicas: 1\n", "", 1)})
    await asyncio.to_thread(world.operator.pull)

    try:
        await require_mended(world, keyboard, "SYS003")
        outcome = await world.deploy(world.commit())
        assert outcome.state is State.LIVE, outcome.release.reason
        assert await found(world) == {}
        seen = await world.observe()
        assert (seen.replicas, seen.replicas_managers) == (2, (AUTOSCALER,))
    finally:
        await autoscale(world, 1)
        world.commit(files={PROGRAM: program})
        await asyncio.to_thread(world.operator.up)
        await keyboard.type(let_go(await world.observe()))
    assert await found(world) == {}


async def autoscale(world: RealWorld, replicas: int) -> None:
    """What a HorizontalPodAutoscaler does, which itself would need metrics to do it."""
    named = f"deployment/{(await world.observe()).name}"
    patch = json.dumps({"spec": {"replicas": replicas}})
    by = ("--subresource=scale", f"--field-manager={AUTOSCALER}")
    await asyncio.to_thread(world.kubectl, "patch", named, *by, "--type=merge", f"--patch={patch}")
    await asyncio.to_thread(world.kubectl, "rollout", "status", named, "--timeout=60s")


@pytest.mark.parametrize(
    "written",
    [
        "oceanid-cluster:adapterImage: {{ fn::secret: '{image}' }}",
        "oceanid-cluster:adapterImage: ${{elsewhere}}",
        "oceanid-cluster:adapterImage: ['{image}']",
        "oceanid-cluster:adapterImage: ''",
        "oceanid-cluster:another: '{image}'",
    ],
    ids=["a secret", "taken from elsewhere", "no text", "empty", "missing"],
)
async def test_a_key_that_no_release_can_replace_is_found_and_plain_again(
    world: RealWorld, keyboard: Keyboard, written: str
) -> None:
    [now] = await released(world, 1)
    plain = f"oceanid-cluster:adapterImage: {now.image}"
    spoilt = written.format(image=now.image)

    def spoil(text: str) -> str:
        assert plain in text
        elsewhere = f"values:\n  elsewhere: {now.image}\n"
        return text.replace(plain, spoilt).replace("values:\n", elsewhere, 1)

    with world.esc.edited(spoil):
        await require_mended(world, keyboard, "SYS005")
        assert await world.value() == now.image


async def test_a_key_that_the_stack_file_shadows_is_found_and_removed_there_by_a_commit(
    world: RealWorld, keyboard: Keyboard
) -> None:
    [now] = await released(world, 1)
    before = world.file(STACK_FILE)
    shadow = f"{before}\nconfig:\n  oceanid-cluster:adapterImage: {now.image}\n"
    world.commit(files={STACK_FILE: shadow})

    await require_mended_by_a_commit(world, keyboard)


async def test_an_environment_that_the_stack_file_does_not_import_is_found_and_imported(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)
    world.commit(files={STACK_FILE: "environment: []\n"})

    await require_mended_by_a_commit(world, keyboard)


async def test_a_key_that_no_file_of_the_program_reads_is_found_until_one_does(
    world: RealWorld,
) -> None:
    await released(world, 1)
    before = world.file(PROGRAM)
    world.commit(files={PROGRAM: before.replace("adapterImage", "someImage")})

    findings = await found(world)
    assert set(findings) == {"SYS002"}
    assert "read oceanid-cluster:adapterImage" in findings["SYS002"].remedy.sentence
    world.commit(files={PROGRAM: before})

    assert await found(world) == {}


async def test_a_key_that_no_target_has_and_nothing_reads_is_found_and_removed(
    world: RealWorld, keyboard: Keyboard
) -> None:
    [now] = await released(world, 1)
    await asyncio.to_thread(world.operator.pull)
    before, stray = "oceanid-cluster:sinkImage:", f"oceanid-cluster:oldImage: {now.image}"
    await asyncio.to_thread(
        world.esc.edit, lambda text: text.replace(before, f"{stray}\n    {before}", 1)
    )
    assert stray in world.esc.definition()
    assert await found(world) == {}  # one target can't tell

    findings = await found_of_everything(world)
    assert set(findings) == {"SYS009"}
    assert findings["SYS009"].target == ADAPTER
    await keyboard.type(findings["SYS009"].remedy.command)

    assert await found_of_everything(world) == {}
    assert "oldImage" not in world.esc.definition()
    assert await world.value() == now.image


async def test_a_pull_secret_that_was_deleted_is_found_and_made_again(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)
    await asyncio.to_thread(world.operator.pull)

    with world.kubectl.pull_secret_gone():
        await require_mended(world, keyboard, "IMG003")


async def test_a_pull_secret_that_can_not_be_read_is_found_and_made_anew(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)
    await asyncio.to_thread(world.operator.pull)

    with world.kubectl.pull_secret_spoilt():
        await require_mended(world, keyboard, "IMG003")


async def test_a_policy_that_never_pulls_is_found_and_set_back(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)
    seen = await world.observe()
    policy = {"name": "adapter", "imagePullPolicy": "Never"}
    patch = json.dumps({"spec": {"template": {"spec": {"containers": [policy]}}}})
    await asyncio.to_thread(world.kubectl, "patch", "deployment", seen.name, f"--patch={patch}")
    await asyncio.to_thread(world.kubectl, "rollout", "status", f"deployment/{seen.name}")

    await require_mended(world, keyboard, "IMG008")
    await asyncio.to_thread(world.kubectl, "rollout", "status", f"deployment/{seen.name}")
    again = await world.deploy(world.commit())
    assert again.state is State.LIVE, again.release.reason


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
    await keyboard.type(findings["SYS007"].remedy.command, 0, EXIT_CODES[State.RESTORED])

    assert await found(world) == {}
    assert (await world.newest()).state in {State.LIVE, State.RESTORED}


async def require_mended_by_a_commit(world: RealWorld, keyboard: Keyboard) -> None:
    """What SYS002 prints is typed in the program's folder of a clean checkout."""
    await asyncio.to_thread(world.operator.pull)
    await require_mended(world, keyboard, "SYS002", folder=world.operator.checkout / "cluster")
    world.pull()


def until_it_applies(world: RealWorld) -> None:
    """Wait until somebody's update holds the stack."""
    until(world.operator.stack_is_held, "the release's update holds the stack", within=240.0)

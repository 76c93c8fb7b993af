"""The stack client with the real pulumi CLI, on a real cluster."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from sandbox import pulumi
from sandbox.part import start_all, stop_all
from sandbox.pulumi import PulumiCloud
from slipway.clients.pulumi import PulumiStack
from slipway.domain.change import ImageChange, find_first_urn, find_forbidden
from slipway.domain.target import StackName
from slipway.errors import AccessDenied, PreviewFailed, StackBusy, StackUnusable
from tests.sandbox.conftest import KubernetesBox
from tests.sandbox.pulumi_world import (
    ABSENT,
    BETTER,
    GOOD,
    PulumiWorld,
    definition,
    make_world,
    running_image,
    tag_images,
)

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def account(cluster: KubernetesBox) -> Iterator[KubernetesBox]:
    """Pulumi beside the cluster."""
    parts = [PulumiCloud()]
    start_all(cluster.box, parts)
    tag_images(cluster)
    yield cluster
    stop_all(cluster.box, parts)


@pytest.fixture
async def world(account: KubernetesBox, tmp_path: Path) -> PulumiWorld:
    """A stack that somebody has applied once: both Deployments run."""
    made = make_world(account, tmp_path)
    stack = made.stack()
    async with stack.api:
        applied = await stack.up(made.at(2), "by hand", asyncio.Event())
    assert applied.succeeded, applied.why
    return made


@pytest.fixture
async def stack(world: PulumiWorld) -> AsyncIterator[PulumiStack]:
    made = world.stack()
    async with made.api:
        yield made


def wanted(world: PulumiWorld, image: str = BETTER) -> ImageChange:
    return ImageChange(world.urn, "app", image)


async def until_busy(stack: PulumiStack, world: PulumiWorld, image: str) -> None:
    """Until the update has reached the cluster."""
    deadline = time.monotonic() + 60
    while not ((await stack.state()).busy and running_image(world) == image):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def test_a_first_preview_names_the_deployment_that_it_would_make(
    account: KubernetesBox, tmp_path: Path
) -> None:
    world = make_world(account, tmp_path)
    stack = world.stack()
    async with stack.api:
        await stack.check()
        state = await stack.state()
        preview = await stack.preview(world.at(2, BETTER))

    assert (state.last_update, state.busy, state.deployments) == (None, False, ())
    assert find_first_urn(preview, ImageChange("", "app", BETTER)).urn == world.urn


async def test_a_preview_with_a_value_changes_the_image_and_nothing_outside(
    world: PulumiWorld, stack: PulumiStack
) -> None:
    preview = await stack.preview(world.at(2, BETTER))

    [change] = [each for each in preview.changes if each.op != "same"]
    assert [(each.path, each.kind) for each in change.paths] == [(world.image_path, "update")]
    assert (change.urn, change.containers[0].image) == (world.urn, BETTER)
    assert preview.complete
    assert find_forbidden(preview, wanted(world)) == []
    assert running_image(world) == GOOD
    assert (await stack.state()).last_update is not None


async def test_somebody_elses_unapplied_change_is_seen_in_the_preview(
    world: PulumiWorld, stack: PulumiStack
) -> None:
    revision = await world.define(definition(side=BETTER))

    forbidden = find_forbidden(await stack.preview(world.at(revision, BETTER)), wanted(world))

    assert [(each.urn, each.path) for each in forbidden] == [
        (world.urn.replace("::web", "::side"), world.image_path)
    ]


async def test_an_update_applies_the_revision_it_is_pinned_to(
    world: PulumiWorld, stack: PulumiStack
) -> None:
    revision = await world.pin(BETTER)
    await world.define(definition(web=ABSENT))

    applied = await stack.up(world.at(revision), "slipway test release=1", asyncio.Event())

    state = await stack.state()
    assert applied.succeeded
    assert find_forbidden(applied.preview, wanted(world)) == []
    assert running_image(world) == BETTER
    assert state.last_update is not None
    assert (state.last_update.message, state.last_update.version) == (
        "slipway test release=1",
        applied.version,
    )
    [ours] = [each for each in state.deployments if each.urn == world.urn]
    assert (ours.namespace, ours.name) == ("default", f"web-{world.unique}")
    assert (dict(ours.images), ours.init_errors) == ({"app": BETTER}, ())


async def test_one_interrupt_ends_a_bad_update_in_order(
    world: PulumiWorld, stack: PulumiStack
) -> None:
    revision, stop = await world.pin(ABSENT), asyncio.Event()
    update = asyncio.create_task(stack.up(world.at(revision), "bad", stop))
    await until_busy(stack, world, ABSENT)

    stop.set()
    began = time.monotonic()
    applied = await update

    state = await stack.state()
    [ours] = [each for each in state.deployments if each.urn == world.urn]
    assert time.monotonic() - began < 10
    assert not applied.succeeded
    assert applied.why.startswith("interrupted, because it was asked to stop")
    assert (state.busy, state.pending_operations) == (False, 0)
    assert ours.init_errors


async def test_refresh_and_update_bring_the_old_image_back(
    world: PulumiWorld, stack: PulumiStack
) -> None:
    """What a restore does: without the refresh the engine would believe that nothing changed."""
    revision, stop = await world.pin(ABSENT), asyncio.Event()
    update = asyncio.create_task(stack.up(world.at(revision), "bad", stop))
    await until_busy(stack, world, ABSENT)
    stop.set()
    await update

    back = await world.pin(GOOD)
    await stack.refresh(world.at(back, only=world.urn), "restore")
    applied = await stack.up(world.at(back), "restore", asyncio.Event())

    assert applied.succeeded, applied.why
    assert running_image(world) == GOOD


async def test_a_cancelled_update_has_ended_when_the_cancellation_arrives(
    world: PulumiWorld, stack: PulumiStack
) -> None:
    revision = await world.pin(ABSENT)
    update = asyncio.create_task(stack.up(world.at(revision), "bad", asyncio.Event()))
    await until_busy(stack, world, ABSENT)

    update.cancel()
    with pytest.raises(asyncio.CancelledError):
        await update

    assert not (await stack.state()).busy


async def test_an_update_past_its_deadline_is_interrupted(world: PulumiWorld) -> None:
    revision, stack = await world.pin(ABSENT), world.stack(apply_within=4)

    async with stack.api:
        applied = await stack.up(world.at(revision), "bad", asyncio.Event())
        state = await stack.state()

    assert "was not done within 4 s" in applied.why
    assert not state.busy


async def test_a_stack_that_is_held_is_left_alone(world: PulumiWorld, stack: PulumiStack) -> None:
    revision, stop = await world.pin(ABSENT), asyncio.Event()
    first = asyncio.create_task(stack.up(world.at(revision), "first", stop))
    await until_busy(stack, world, ABSENT)

    with pytest.raises(StackBusy, match="held by another update"):
        await world.stack().up(world.at(revision), "second", asyncio.Event())
    stop.set()
    await first

    state = await stack.state()
    assert state.last_update is not None
    assert state.last_update.message == "first"


async def test_a_program_that_fails_is_told_in_the_engines_words(
    world: PulumiWorld, stack: PulumiStack
) -> None:
    revision = await world.define("values:\n  pulumiConfig:\n    shop:sideImage: x\n")

    with pytest.raises(PreviewFailed, match="webImage"):
        await stack.preview(world.at(revision))

    applied = await stack.up(world.at(revision), "bad", asyncio.Event())
    assert not applied.succeeded
    assert "webImage" in applied.why


async def test_a_stack_that_is_not_there_and_a_token_that_is_not_good_are_told(
    world: PulumiWorld,
) -> None:
    absent, refused = world.stack(), world.stack()
    absent.target = replace(absent.target, stack=StackName("acme", "shop", "nowhere"))
    refused.api.token = SecretStr("canary-token")

    async with absent.api, refused.api:
        with pytest.raises(StackUnusable, match="acme/shop/nowhere can't be asked"):
            await absent.check()
        with pytest.raises(AccessDenied, match="token is not accepted"):
            await refused.check()


async def test_the_token_is_in_no_argument_and_in_no_shared_folder(
    world: PulumiWorld, stack: PulumiStack
) -> None:
    token = pulumi.token(world.cluster.box, "slipway").encode()
    revision, stop, seen = await world.pin(ABSENT), asyncio.Event(), 0
    update = asyncio.create_task(stack.up(world.at(revision), "bad", stop))
    await until_busy(stack, world, ABSENT)

    for path in Path("/proc").glob("[0-9]*/cmdline"):  # noqa: ASYNC240 - no disk is behind it
        try:
            words = path.read_bytes()
        except OSError:
            continue
        seen += world.name.stack.encode() in words
        assert token not in words
    stop.set()
    await update

    kept = [each for each in pulumi.home(world.cluster.box).rglob("*") if each.is_file()]
    assert seen
    assert not [each for each in kept if token in each.read_bytes()]
    assert token.decode() not in repr(stack)


async def test_a_shadowing_stack_file_is_told(world: PulumiWorld, stack: PulumiStack) -> None:
    assert await stack.shadow(world.tree, world.key) is None

    file = world.tree / "cluster" / f"Pulumi.{world.name.stack}.yaml"
    file.write_text(f"{file.read_text()}config:\n  shop:webImage: stale\n")

    assert await stack.shadow(world.tree, world.key) == "stale"
    with pytest.raises(StackUnusable, match="is not in the commit"):
        await stack.shadow(world.tree / "cluster", world.key)

"""The stack client with the real pulumi CLI, on a real cluster."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from sandbox import pulumi
from sandbox.part import start_all, stop_all
from sandbox.pulumi import PulumiCloud
from slipway.clients.processes import LocalProcesses
from slipway.clients.pulumi import PulumiStack
from slipway.domain.change import ImageChange, find_first_urn, find_forbidden
from slipway.domain.target import StackName
from slipway.errors import AccessDenied, PreviewFailed, StackUnusable
from slipway.ports import Processes, ProgramRevision, Stack
from tests.contracts.stack import StackContract, Surroundings
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
ROOT = Path(__file__).parents[2]


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


class OnPulumi:
    """The real stack, as the contract speaks of it."""

    container, good, better, absent = "app", GOOD, BETTER, ABSENT

    def __init__(self, world: PulumiWorld, stack: PulumiStack) -> None:
        self.world, self.urn = world, world.urn
        self.stack: Stack = stack
        self.processes: Processes = LocalProcesses()

    async def pin(self, image: str) -> int:
        return await self.world.pin(image)

    def at(self, revision: int, value: str | None = None, only: str = "") -> ProgramRevision:
        return self.world.at(revision, value, only)

    def asked_for(self) -> str:
        return running_image(self.world)

    async def kill_update(self) -> None:
        name = self.world.name.stack.encode()
        for path in Path("/proc").glob("[0-9]*/cmdline"):  # noqa: ASYNC240 - no disk is behind it
            with contextlib.suppress(OSError):
                words = path.read_bytes().split(b"\0")
                if words[0].endswith(b"/pulumi") and any(name in each for each in words):
                    os.kill(int(path.parent.name), signal.SIGKILL)

    async def expire_lease(self) -> None:
        box = self.world.cluster.box
        headers = {"Authorization": f"token {pulumi.admin_token(box)}"}
        path = f"/admin/stacks/{self.world.name}/expire-lease"
        async with httpx.AsyncClient(base_url=pulumi.backend(box), headers=headers) as http:
            (await http.post(path)).raise_for_status()


class TestOnPulumi(StackContract):
    @pytest.fixture
    def here(self, world: PulumiWorld, stack: PulumiStack) -> Surroundings:
        return OnPulumi(world, stack)


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


async def test_somebody_elses_unapplied_change_is_seen_in_the_preview(
    world: PulumiWorld, stack: PulumiStack
) -> None:
    revision = await world.define(definition(side=BETTER))

    forbidden = find_forbidden(await stack.preview(world.at(revision, BETTER)), wanted(world))

    assert [(each.urn, each.path) for each in forbidden] == [
        (world.urn.replace("::web", "::side"), world.image_path)
    ]


async def test_an_update_past_its_deadline_is_interrupted(world: PulumiWorld) -> None:
    revision, stack = await world.pin(ABSENT), world.stack(apply_within=4)

    async with stack.api:
        applied = await stack.up(world.at(revision), "bad", asyncio.Event())
        state = await stack.state()

    assert "was not done within 4 s" in applied.why
    assert not state.busy


async def test_an_update_pinned_to_a_retracted_revision_ends_before_it_touches_anything(
    world: PulumiWorld, stack: PulumiStack
) -> None:
    """What docs/decisions/no-retracted-revisions.md was decided on."""
    late = await world.pin(BETTER)
    await world.pin(GOOD)
    before, image = (await stack.state()).last_update, running_image(world)
    async with world.api("operator") as api:
        path = f"/api/esc/environments/{world.key.environment_name}/versions/{late}/retract"
        answer = await api.send("POST", path, content='{"reason": "its release is dead"}')
    assert answer.good, answer.text

    applied = await stack.up(world.at(late), "late", asyncio.Event())

    assert not applied.succeeded
    assert f"revision {late}" in applied.why
    assert "retracted" in applied.why
    assert (await stack.state()).last_update == before
    assert running_image(world) == image


APPLY = """
import asyncio, pathlib, sys
from sandbox.box import Box
from tests.sandbox.conftest import KubernetesBox
from tests.sandbox.pulumi_world import PulumiWorld
root, tree, unique, revision = sys.argv[1:]
world = PulumiWorld(KubernetesBox(Box(pathlib.Path(root))), pathlib.Path(tree), unique)
asyncio.run(world.stack().up(world.at(int(revision)), "killed", asyncio.Event()))
"""


async def test_an_update_whose_parent_is_killed_ends_in_order(
    world: PulumiWorld, stack: PulumiStack
) -> None:
    """Nobody waits for its lease of five minutes, and recovery finds what it did written down."""
    revision = await world.pin(ABSENT)
    words = [str(world.cluster.box.root), str(world.tree), world.unique, str(revision)]
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", APPLY, *words, cwd=ROOT)
    await until_busy(stack, world, ABSENT)

    parent.kill()
    await parent.wait()
    async with asyncio.timeout(10):
        while (await stack.state()).busy:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.1)

    state = await stack.state()
    [ours] = [each for each in state.deployments if each.urn == world.urn]
    assert state.pending_operations == 0
    assert ours.init_errors


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

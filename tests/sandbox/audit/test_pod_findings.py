"""Pods that fail long after their release, each for another cause: found, mended, and gone."""

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from sandbox import kubernetes
from slipway.cli.ends import NEEDS_ATTENTION
from slipway.domain.finding import Finding
from slipway.domain.image import ImageReference
from slipway.domain.release import State
from tests.sandbox.audit.keyboard import Keyboard
from tests.sandbox.audit.looking import found, found_at_last, released
from tests.sandbox.conftest import until
from tests.sandbox.releases.others import delete_from_node, kill_container, pull_account_revoked
from tests.sandbox.releases.real_world import START, RealWorld

pytestmark = [pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(900)]

PODS = "--selector=app=ls-triton-adapter"
LEAKS = "(until [ -e /leak ]; do sleep 0.2; done; tail /dev/zero; kill 1) &"
"""A release that is well until it is told to need more memory than it may."""
SPOILS = "mv /srv/answer.sh /srv/answer.gone"


async def test_a_pod_that_crashes_long_after_its_release_is_found_and_replaced(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)

    for count in range(2):
        container = await asyncio.to_thread(running_container, world, count)
        await asyncio.to_thread(kill_container, world.box, container)

    await require_replaced(world, keyboard, "restarts")


async def test_a_pod_that_needs_more_memory_than_it_may_is_found_as_such_and_replaced(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)
    start = {"adapter/src/start.sh": START.format(before=LEAKS)}
    outcome = await world.deploy(world.commit(files=start))
    assert outcome.state is State.LIVE, outcome.release.reason

    for count in range(2):
        await asyncio.to_thread(running_container, world, count)
        await asyncio.to_thread(in_the_pod, world, "touch /leak")

    finding = await require_replaced(world, keyboard, "memory")
    assert "last ended by OOMKilled" in finding.seen
    assert "more memory" in finding.remedy.sentence


async def test_a_pod_that_runs_and_does_not_answer_is_found_and_replaced(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)

    await asyncio.to_thread(in_the_pod, world, SPOILS)

    await require_replaced(world, keyboard, "readiness")


async def test_a_pod_that_can_not_pull_is_found_beside_its_secret_until_new_ones_can(
    world: RealWorld, keyboard: Keyboard
) -> None:
    [now] = await released(world, 1)
    await asyncio.to_thread(world.operator.pull)
    ports = await world.eyes()
    image = await ports.registry.find(ImageReference.parse(now.image))
    assert image is not None

    with pull_account_revoked(world.box):
        await asyncio.to_thread(delete_from_node, world.box, image)
        await asyncio.to_thread(world.kubectl, "delete", "pod", PODS)
        findings = await found_at_last(world, "IMG003", "IMG013")
    assert findings["IMG013"].about.endswith(", pull")

    await keyboard.type(findings["IMG003"].remedy.command)
    await keyboard.type(findings["IMG013"].remedy.command)
    assert await found(world) == {}


async def test_a_pod_that_finds_no_node_is_found_until_one_takes_it(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)

    with cordoned(world):
        await asyncio.to_thread(world.kubectl, "delete", "pod", PODS)
        finding = (await found_at_last(world, "IMG013"))["IMG013"]
        assert finding.about == "unschedulable"
        shown = await keyboard.type(finding.remedy.command)
        assert "node.kubernetes.io/unschedulable:NoSchedule" in shown

    await found_at_last(world)


async def test_pods_that_a_quota_forbids_are_found_until_it_is_gone(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)

    await asyncio.to_thread(world.kubectl, "create", "quota", "small", "--hard=pods=0")
    try:
        await asyncio.to_thread(world.kubectl, "delete", "pod", PODS)
        finding = (await found_at_last(world, "IMG013"))["IMG013"]
        assert finding.about == "new pods"
        assert "exceeded quota: small" in finding.seen
        assert "exceeded quota: small" in await keyboard.type(finding.remedy.command)
    finally:
        await asyncio.to_thread(world.kubectl, "delete", "quota", "small")

    await found_at_last(world)


async def test_a_container_that_can_not_be_made_is_found_until_what_it_lacks_is_there(
    world: RealWorld, keyboard: Keyboard
) -> None:
    """New pods fail too, and show why, as the remedy says; then that is mended."""
    await released(world, 1)
    deployment = f"deployment/{(await world.observe()).name}"

    with configured_by(world, "models", deployment):
        with configuration_gone(world, "models"):
            await asyncio.to_thread(world.kubectl, "delete", "pod", PODS)
            finding = (await found_at_last(world, "IMG013"))["IMG013"]
            assert finding.about == "container adapter, waiting"
            shown = await keyboard.type(finding.remedy.command, NEEDS_ATTENTION)
            assert 'configmap "models" not found' in shown
        await keyboard.type(finding.remedy.command)
        assert await found(world) == {}


async def require_replaced(world: RealWorld, keyboard: Keyboard, why: str) -> Finding:
    """Exactly this trouble is found at last, and its remedy, as printed, makes new pods."""
    await found_at_last(world, "IMG013")
    finding = (await found(world))["IMG013"]
    assert finding.about.endswith(why)
    await keyboard.type(finding.remedy.command)

    assert await found(world) == {}
    return finding


def running_container(world: RealWorld, restarts: int) -> str:
    """The container of the adapter's newest pod once it runs after so many restarts."""
    seen: list[str] = []

    def runs() -> bool:
        pods = world.kubectl.get("pods", PODS)["items"]
        seen[:] = [
            status["containerID"].partition("://")[2]
            for pod in pods
            if not pod["metadata"].get("deletionTimestamp")
            for status in pod["status"].get("containerStatuses", ())
            if status["restartCount"] == restarts and "running" in status["state"]
        ]
        return bool(seen)

    until(runs, f"the adapter runs after {restarts} restarts")
    return seen[0]


def in_the_pod(world: RealWorld, command: str) -> None:
    """Type a command in the adapter's container."""
    [pod] = [
        each["metadata"]["name"]
        for each in world.kubectl.get("pods", PODS)["items"]
        if not each["metadata"].get("deletionTimestamp")
    ]
    world.kubectl("exec", pod, "--", "/bin/sh", "-c", command)


@contextlib.contextmanager
def cordoned(world: RealWorld) -> Iterator[None]:
    """The node takes no new pod as long as the context lasts."""
    world.kubectl("cordon", kubernetes.NODE)
    try:
        yield
    finally:
        world.kubectl("uncordon", kubernetes.NODE)


@contextlib.contextmanager
def configured_by(world: RealWorld, name: str, deployment: str) -> Iterator[None]:
    """The adapter has its environment from this ConfigMap as long as the context lasts."""
    world.kubectl("create", "configmap", name, "--from-literal=MODELS=new")
    try:
        world.kubectl("set", "env", deployment, f"--from=configmap/{name}")
        world.kubectl("rollout", "status", deployment, "--timeout=60s")
        yield
    finally:
        world.kubectl("set", "env", deployment, "MODELS-")
        world.kubectl("delete", "configmap", name, "--ignore-not-found")
        world.kubectl("rollout", "status", deployment, "--timeout=60s")


@contextlib.contextmanager
def configuration_gone(world: RealWorld, name: str) -> Iterator[None]:
    """There is no such ConfigMap as long as the context lasts."""
    world.kubectl("delete", "configmap", name)
    try:
        yield
    finally:
        world.kubectl("create", "configmap", name, "--from-literal=MODELS=new")

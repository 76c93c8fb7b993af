"""Restores: what fails after the pin, with the cause and what explains it."""

import asyncio
import contextlib
import json
from collections.abc import Iterator

import pytest

from slipway.domain.image import ImageReference
from tests.sandbox.conftest import until
from tests.sandbox.releases.disturbing import before_up
from tests.sandbox.releases.ends import Told, is_restored, sound
from tests.sandbox.releases.others import delete_everywhere, kill_provider, pull_account_revoked
from tests.sandbox.releases.real_world import ADAPTER, RealWorld

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]

POLICY = "no-new-adapters"


async def reason_for(world: RealWorld, behaviour: str, ready_within: float = 90.0) -> str:
    """Deploy an image that must be restored; the reason."""
    before = await sound(world)
    ports = await world.ports(ready_within=ready_within)
    outcome = await world.deploy(world.commit(behaviour), ports)
    await is_restored(world, outcome, before)
    return outcome.release.reason


async def test_an_image_that_crashes_at_start_is_restored_and_a_person_sees_its_last_words(
    world: RealWorld,
) -> None:
    before = await sound(world)
    commit = world.commit("crashes")

    code, printed, shown = await world.type(
        "deploy", ADAPTER, commit.sha, "--reason", "a test", "--local"
    )

    assert code == 3, shown
    await is_restored(world, await world.newest(), before)
    assert f"restored: deploy {commit.short} at {ADAPTER}" in printed
    assert "has ended 2 times: Error, exit code 7" in printed
    for kind, text in {
        "pod": "last ended by Error, exit code 7",
        "event": "Created container: adapter",
        "log": "models.json: no such file or directory",
    }.items():
        assert any(f"{kind}: " in line and text in line for line in shown.splitlines()), shown
    assert "Traceback" not in shown


async def test_an_image_that_never_becomes_ready_is_restored_with_what_it_did_instead(
    world: RealWorld, told: Told
) -> None:
    reason = await reason_for(world, "never-ready", ready_within=15.0)

    assert "0 of 1 pods ready, and not ready within 15 s" in reason
    assert "adapter running, not ready" in told.evidence("pod")
    assert "release never-ready" in told.evidence("log")
    assert "Unhealthy: Readiness probe failed" in told.evidence("event")


async def test_an_image_that_needs_more_memory_than_its_limit_is_restored_as_such(
    world: RealWorld, told: Told
) -> None:
    reason = await reason_for(world, "out-of-memory")

    assert "OOMKilled" in reason
    assert "last ended by OOMKilled, exit code 137" in told.evidence("pod")
    assert "release out-of-memory" in told.evidence("log")
    assert "Created container: adapter" in told.evidence("event")


async def test_an_image_deleted_before_the_pull_is_restored(world: RealWorld, told: Told) -> None:
    before = await sound(world)
    commit = world.commit()
    ports = await world.ports()

    async def delete() -> None:
        reference = ImageReference(ports.target.service.repository, commit.sha)
        found = await ports.registry.find(reference)
        assert found is not None
        delete_everywhere(world.box, found, commit.sha)

    outcome = await world.deploy(commit, before_up(ports, delete))

    await is_restored(world, outcome, before)
    for where in (outcome.release.reason, told.evidence("pod")):
        assert "ErrImagePull" in where
        assert f"ls-triton-adapter@{outcome.release.digest}" in where
        assert "not found" in where
    assert "Failed to pull image" in told.evidence("event")
    assert "not found" in told.evidence("event")


async def test_a_pull_secret_revoked_after_preflight_is_restored(
    world: RealWorld, told: Told
) -> None:
    before = await sound(world)
    with contextlib.ExitStack() as revocation:

        async def revoke() -> None:
            revocation.enter_context(pull_account_revoked(world.box))

        outcome = await world.deploy(world.commit(), before_up(await world.ports(), revoke))

    await is_restored(world, outcome, before)
    for where in (outcome.release.reason, told.evidence("pod")):
        assert "ErrImagePull" in where
        assert "failed to authorize" in where
        assert "401 Unauthorized" in where
    assert "Failed to pull image" in told.evidence("event")
    assert "401 Unauthorized" in told.evidence("event")


async def test_a_cluster_that_forbids_the_update_after_the_pin_is_restored(
    world: RealWorld,
) -> None:
    before = await sound(world)
    commit = world.commit()
    with contextlib.ExitStack() as forbidding:

        async def forbid() -> None:
            forbidding.enter_context(forbidden_image(world, commit.sha))

        outcome = await world.deploy(commit, before_up(await world.ports(), forbid))

    await is_restored(world, outcome, before)
    assert outcome.code == "apply-failed", outcome.release.reason
    assert f"ValidatingAdmissionPolicy '{POLICY}'" in outcome.release.reason
    assert "adapters are frozen tonight" in outcome.release.reason


async def test_a_provider_that_dies_during_the_update_is_restored(
    world: RealWorld, told: Told
) -> None:
    before = await sound(world)
    deploying = asyncio.create_task(world.deploy(world.commit("never-ready")))
    async with asyncio.timeout(120):
        while (await world.observe()).image == before.image:
            assert not deploying.done(), told.lines()
            await asyncio.sleep(0.1)
    kill_provider(world.box)
    outcome = await deploying

    await is_restored(world, outcome, before)
    assert outcome.code == "apply-failed", outcome.release.reason
    assert "ls-triton-adapter: error reading from server" in outcome.release.reason


@contextlib.contextmanager
def forbidden_image(world: RealWorld, tag: str) -> Iterator[None]:
    """The cluster's own policy forbids Deployments of one image as long as the context lasts."""
    match = {
        "resourceRules": [
            {
                "apiGroups": ["apps"],
                "apiVersions": ["v1"],
                "operations": ["UPDATE"],
                "resources": ["deployments"],
            }
        ]
    }
    images = "object.spec.template.spec.containers"
    rule = {
        "expression": f"!{images}.exists(each, each.image.contains('{tag}'))",
        "message": "adapters are frozen tonight",
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": POLICY}}
    policy = {
        **kind,
        "kind": "ValidatingAdmissionPolicy",
        "spec": {"matchConstraints": match, "validations": [rule]},
    }
    binding = {
        **kind,
        "kind": "ValidatingAdmissionPolicyBinding",
        "spec": {"policyName": POLICY, "validationActions": ["Deny"]},
    }
    for each in (policy, binding):
        world.kubectl("apply", "--filename=-", stdin=json.dumps(each))
    try:
        until(lambda: forbids(world, tag), "the API server knows the policy")
        yield
    finally:
        world.kubectl(
            "delete", "validatingadmissionpolicybindings,validatingadmissionpolicies", POLICY
        )


def forbids(world: RealWorld, tag: str) -> bool:
    """Whether the API server would refuse the image now."""
    try:
        world.kubectl(
            "set",
            "image",
            "deployment/ls-triton-adapter",
            f"adapter=example.invalid/x:{tag}",
            "--dry-run=server",
        )
    except AssertionError as refusal:
        return POLICY in str(refusal)
    return False

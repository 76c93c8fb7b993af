"""Refusals before anything is decided: what was asked for, the build, the registry, the cluster."""

import asyncio
import os
from dataclasses import replace

import pytest
from pydantic import SecretStr

from sandbox import image_registry, repository
from sandbox.image_registry import Registry
from sandbox.token_issuer.accounts import READER
from slipway.clients.docker import DockerBuilder
from slipway.domain.image import ImageReference
from slipway.domain.release import Phase, State
from slipway.ports import Ports, PullCredentials
from tests.sandbox.registry_side import kill_registry, uploads_under_way
from tests.sandbox.releases.ends import (
    Told,
    facts,
    is_live,
    nothing_is_held,
    refused,
    refused_at_preflight,
    sound,
)
from tests.sandbox.releases.others import pull_account_revoked
from tests.sandbox.releases.real_world import RealWorld
from tests.sandbox.witness import digest_in_registry

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]

BALLAST = "adapter/src/ballast"
"""Big enough that its push can be interrupted."""


@pytest.mark.parametrize(
    ("wanted", "code", "says"),
    [
        ("0" * 40, "unknown-commit", "0" * 40),
        ("f" * 7, "unknown-commit", "fffffff"),
        ("a" * 41, "invalid-input", "41 characters"),
        ("ABCDEF0" * 5 + "ABCDE", "invalid-input", "lower case"),
        ("main", "invalid-input", "git rev-parse"),
    ],
)
async def test_what_is_not_a_commit_is_refused_by_name(
    world: RealWorld, wanted: str, code: str, says: str
) -> None:
    outcome = await refused(world, wanted, code)

    assert says in outcome.release.reason


async def test_an_ambiguous_commit_is_refused_with_what_it_fits(world: RealWorld) -> None:
    twins = [repository.commits(world.box)[name] for name in ("twin_a", "twin_b")]

    outcome = await refused(world, twins[0][:7], "ambiguous-commit")

    assert all(each in outcome.release.reason for each in twins)


async def test_what_does_not_compile_is_refused_with_its_log_and_leaves_no_tag(
    world: RealWorld, told: Told
) -> None:
    commit = world.commit("does-not-compile")

    outcome = await refused(world, commit, "build-failed")

    assert "start.sh: line" in outcome.release.reason
    assert told.has("Step 3/")
    assert any("start.sh: line" in line and "syntax error" in line for line in told.lines())
    assert commit.sha not in await world.tags()


async def test_a_push_that_is_denied_is_refused_and_leaves_no_tag(world: RealWorld) -> None:
    account = image_registry.accounts(world.box)[READER]
    ports = await world.ports()
    host = image_registry.host(world.box)
    reader = PullCredentials(host, account.username, SecretStr(account.password))
    commit = world.commit()

    outcome = await refused(
        world, commit, "access-denied", ports=with_builder(ports, credentials=reader)
    )

    assert f"{ports.target.service.repository}:{commit}" in outcome.release.reason
    assert commit.sha not in await world.tags()


async def test_a_registry_that_dies_during_the_push_is_refused_and_live_when_tried_again(
    world: RealWorld, told: Told
) -> None:
    assert not uploads_under_way(world.box)
    commit = world.commit(files={BALLAST: os.urandom(20 * 2**20)})
    before, tags = await facts(world), await world.tags()
    ports = with_builder(await world.ports(), push_within=8)

    killed = asyncio.create_task(kill_during_a_push(world))
    try:
        outcome = await world.deploy(commit, ports)
        await killed
    finally:
        Registry().start(world.box)

    assert (outcome.state, outcome.code) == (State.REFUSED, "unreachable"), outcome.release.reason
    assert told.has("push the image: ")
    assert outcome.release.phase is Phase.RESOLVED
    assert (await facts(world), await world.tags()) == (before, tags)
    name = f"{ports.target.service.repository}:{commit}"
    assert digest_in_registry(world.box, name) is None
    await nothing_is_held(world)
    await is_live(world, await world.deploy(commit))
    world.commit(files={BALLAST: None})


async def kill_during_a_push(world: RealWorld) -> None:
    async with asyncio.timeout(60):
        while not uploads_under_way(world.box):  # noqa: ASYNC110 - another process' files
            await asyncio.sleep(0.005)
    kill_registry(world.box)


def with_builder(ports: Ports, **changes: object) -> Ports:
    """The same ports with another builder."""
    assert isinstance(ports.builder, DockerBuilder)
    return replace(ports, builder=replace(ports.builder, **changes))  # type: ignore[arg-type] # tests name real fields


async def test_a_tag_with_another_commits_label_is_refused_and_never_overwritten(
    world: RealWorld,
) -> None:
    await sound(world)
    ports = await world.eyes()
    path = ports.target.service.repository
    other = await ports.registry.find(ImageReference(path, "main"))
    assert other is not None
    assert other.revision is not None
    commit = world.commit()
    await ports.registry.tag(other, commit.sha)

    outcome = await refused(world, commit, "tag-conflict")

    assert f"{path}:{commit}" in outcome.release.reason
    assert other.revision in outcome.release.reason
    assert digest_in_registry(world.box, f"{path}:{commit}") == str(other.digest)


async def test_a_pull_secret_that_is_missing_is_refused_at_preflight(world: RealWorld) -> None:
    with world.kubectl.pull_secret_gone():
        outcome = await refused_at_preflight(world, "pull-secret-unusable")

    assert "pull secret apps/ghcr-creds" in outcome.release.reason
    assert "does not exist" in outcome.release.reason
    assert "run `pulumi up`, which makes the secret" in outcome.release.reason


async def test_a_pull_secret_for_another_host_is_refused_at_preflight(world: RealWorld) -> None:
    with world.kubectl.pull_secret_for("quay.io"):
        outcome = await refused_at_preflight(world, "pull-secret-unusable")

    host = image_registry.host(world.box)
    assert f"is for quay.io, but the image is at {host}" in outcome.release.reason
    assert "correct the host" in outcome.release.reason


async def test_a_pull_secret_that_is_rejected_is_refused_at_preflight(world: RealWorld) -> None:
    with pull_account_revoked(world.box):
        outcome = await refused_at_preflight(world, "pull-secret-unusable")

    assert "pull secret ghcr-creds" in outcome.release.reason
    assert "renew the token in the ESC environment and run `pulumi up`" in outcome.release.reason


async def test_an_image_changed_with_kubectl_is_refused_naming_field_and_manager(
    world: RealWorld,
) -> None:
    before = await sound(world)
    other = before.image.partition("@")[0]
    with world.kubectl.touched("ls-triton-adapter"):
        world.kubectl("set", "image", "deployment/ls-triton-adapter", f"adapter={other}")
        outcome = await refused_at_preflight(world, "deployment-unfit")

    assert "spec.template.spec.containers[adapter].image" in outcome.release.reason
    assert "field manager kubectl-set" in outcome.release.reason
    assert "--field-manager=pulumi-kubernetes" in outcome.release.reason


async def test_replicas_changed_with_kubectl_are_refused_naming_field_and_manager(
    world: RealWorld,
) -> None:
    await sound(world)
    with world.kubectl.touched("ls-triton-adapter"):
        world.kubectl("scale", "deployment/ls-triton-adapter", "--replicas=2")
        outcome = await refused_at_preflight(world, "deployment-unfit")

    assert "spec.replicas is owned by field manager kubectl" in outcome.release.reason
    assert "--field-manager=pulumi-kubernetes" in outcome.release.reason

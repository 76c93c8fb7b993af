"""Candidates, drills and retention on real parts, with skopeo as the witness."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from flows.drilling import drill
from flows.pruning import apply, plan
from sandbox.github.api import Api
from sandbox.github.deliveries import Hook
from sandbox.github.packages import Packages, RegistryShelf
from sandbox.github.shown import Shown
from slipway.clients.github_packages import GitHubPackages, PackageOwner
from slipway.clients.github_session import GitHubSession
from slipway.clients.registry import OciRegistry
from slipway.domain.drill import Result
from slipway.domain.image import ImageReference
from slipway.domain.release import State
from slipway.domain.retention import Policy
from slipway.ports import Ports
from slipway.tasks.candidates import list_candidates
from tests.sandbox.audit.looking import released
from tests.sandbox.releases.ends import facts
from tests.sandbox.releases.others import pull_account_revoked
from tests.sandbox.releases.real_world import RealWorld
from tests.sandbox.witness import digest_in_registry

pytestmark = [pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(900)]

API = "http://127.0.0.1:1"
LATER = datetime.now(UTC) + timedelta(days=100)


async def test_the_marked_candidate_is_where_the_rollback_goes(world: RealWorld) -> None:
    await released(world)
    found = await list_candidates(await world.eyes())
    [default] = [each for each in found.listed if each.is_default]

    outcome = await world.roll_back()

    assert (outcome.state, outcome.release.commit) == (State.LIVE, default.commit)


async def test_a_drill_says_what_the_rollback_then_does_and_about_how_long_it_takes(
    world: RealWorld,
) -> None:
    await released(world)
    before = await facts(world)

    drilled = await drill(await world.eyes())

    assert await facts(world) == before
    assert drilled.result is Result.WORKS, drilled.why
    assert drilled.expected_seconds is not None
    outcome = await world.roll_back()
    assert (outcome.state, outcome.release.commit) == (State.LIVE, drilled.to)


async def test_a_drill_fails_while_the_pull_secret_is_revoked(world: RealWorld) -> None:
    await released(world)

    with pull_account_revoked(world.box):
        drilled = await drill(await world.eyes())

    assert drilled.result is Result.FAILS
    assert drilled.why.startswith("pull-secret-unusable: ")


async def test_what_github_deleted_is_restored_by_the_number_that_was_told(
    world: RealWorld, tmp_path: Path
) -> None:
    await released(world, 1)
    needless = world.commit()
    reference = ImageReference.parse(await world.publish(needless))
    ports, package = through_github(world, await world.ports(), tmp_path)
    policy = Policy(keep_live=2)
    path = ports.target.service.repository
    before = await asyncio.to_thread(digest_in_registry, world.box, f"{path}:{needless}")
    made = await plan([ports], policy, LATER)

    pruned = await apply([ports], policy, made.hash, LATER)

    assert set(pruned.restored_by) == set(pruned.deleted)
    assert reference.digest in pruned.deleted
    assert await asyncio.to_thread(digest_in_registry, world.box, f"{path}:{needless}") is None
    assert reference.digest is not None
    await package.send("POST", f"versions/{pruned.restored_by[reference.digest]}/restore")
    after = await asyncio.to_thread(digest_in_registry, world.box, f"{path}:{needless}")
    assert before == after == str(reference.digest)


async def test_what_nobody_needs_is_deleted_and_what_is_needed_is_pulled_after_it(
    world: RealWorld,
) -> None:
    first, second = await released(world)
    needless = world.commit()
    reference = ImageReference.parse(await world.publish(needless))
    ports, policy = await world.eyes(), Policy(keep_live=2)
    path = ports.target.service.repository
    made = await plan([ports], policy, LATER)
    going = {tag for each in made.deletions for tag in each.tags}
    assert needless.sha in going
    assert not going & {str(first.commit), str(second.commit), "main"}

    await apply([ports], policy, made.hash, LATER)

    there = {
        tag: await asyncio.to_thread(digest_in_registry, world.box, f"{path}:{tag}")
        for tag in (needless.sha, str(first.commit), str(second.commit), "main")
    }
    assert there[needless.sha] is None
    assert there[str(first.commit)] == str(first.digest)
    assert there[str(second.commit)] == there["main"] == str(second.digest)
    assert await ports.registry.find(reference) is None
    outcome = await world.roll_back()
    assert (outcome.state, outcome.release.commit) == (State.LIVE, first.commit)


def through_github(world: RealWorld, ports: Ports, folder: Path) -> tuple[Ports, GitHubSession]:
    """A target whose images GitHub's stand-in deletes, as for GHCR; and its package there."""
    owner, _, package = ports.target.service.repository.partition("/")[2].partition("/")
    hook = Hook("http://127.0.0.1:1/github", "secret", folder / "deliveries.jsonl")
    shown = Shown(f"{API}/repos/acme/shop", lambda _: True)
    shelf = Packages(owner, RegistryShelf(world.box))
    transport = httpx.ASGITransport(Api("acme/shop", "token", shown, hook, shelf).app())
    ours = PackageOwner(f"orgs/{owner}", SecretStr("token"), API)
    packages = GitHubPackages(ours, lambda place: GitHubSession(place, transport))
    assert isinstance(ports.registry, OciRegistry)
    ports.registry.packages = packages
    return ports, packages.connect(ours.package(package))

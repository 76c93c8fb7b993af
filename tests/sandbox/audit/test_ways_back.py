"""Candidates, drills and retention on real parts, with skopeo as the witness."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from flows.drilling import drill
from flows.full_drill import drill_fully
from flows.pruning import apply, plan
from sandbox.github.api import Api
from sandbox.github.deliveries import Hook
from sandbox.github.packages import Packages, RegistryShelf
from sandbox.github.shown import Shown
from slipway.clients.github_packages import GitHubPackages, PackageOwner
from slipway.clients.github_session import GitHubSession
from slipway.clients.registry import OciRegistry
from slipway.domain.candidate import CHANGES_MORE
from slipway.domain.drill import Result
from slipway.domain.image import ImageReference
from slipway.domain.release import Kind, State
from slipway.domain.retention import Policy
from slipway.ports import Ports
from slipway.tasks.candidates import list_candidates
from tests.sandbox.audit.looking import found_at_last, released
from tests.sandbox.releases.ends import facts
from tests.sandbox.releases.others import pull_account_revoked
from tests.sandbox.releases.real_world import START, RealWorld
from tests.sandbox.witness import digest_in_registry

pytestmark = [pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(900)]

API = "http://127.0.0.1:1"
PROGRAM = "cluster/Pulumi.yaml"
MODELS = "env: [{name: MODELS, value: new}]"
WITHOUT_MODELS = 'if [ -n "$MODELS" ]; then echo "two sets of models" >&2; exit 7; fi'
LATER = datetime.now(UTC) + timedelta(days=100)


async def test_the_marked_candidate_is_where_the_rollback_goes(world: RealWorld) -> None:
    await released(world)
    found = await list_candidates(await world.eyes())
    [default] = [each for each in found.listed if each.is_default]

    outcome = await world.roll_back()

    assert (outcome.state, outcome.release.commit) == (State.LIVE, default.commit)


async def test_what_else_an_update_would_change_is_told_of_every_candidate_until_it_is_applied(
    world: RealWorld,
) -> None:
    """Somebody has applied a program that is not in git: an update of main's would undo that."""
    first, _ = await released(world)
    await asyncio.to_thread(world.operator.up, more_memory)
    try:
        await at_rest(world)
        found = await list_candidates(await world.eyes())
        refused = await world.roll_back()
    finally:
        await asyncio.to_thread(world.operator.up)
        await at_rest(world)

    ways = [each for each in found.listed if not each.refusal]
    assert first.commit in {each.commit for each in ways}
    assert {each.states[0] for each in ways} == {CHANGES_MORE}
    assert not any(each.allowed for each in found.listed)
    assert "spec.template.spec.containers[0].resources.limits.memory" in found.outlook.refusal
    assert (refused.state, refused.code) == (State.REFUSED, "not-image-only")

    after = await list_candidates(await world.eyes())
    [default] = [each for each in after.listed if each.is_default]
    assert default.allowed, default
    assert after.outlook.previewed == default.commit
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


async def test_a_full_drill_goes_back_and_forth_and_leaves_everything_as_it_was(
    world: RealWorld,
) -> None:
    first, second = await released(world)
    before = await facts(world)
    ports = await world.ports(full_drill=True)

    drilled = await drill_fully(ports)

    assert (drilled.result, drilled.to) == (Result.WORKS, first.commit), drilled.why
    forth, back, *_ = await ports.ledger.history(ports.target.name)
    assert (back.kind, back.commit, back.state) == (Kind.ROLLBACK, first.commit, State.LIVE)
    assert (forth.kind, forth.commit, forth.state) == (Kind.DEPLOY, second.commit, State.LIVE)
    assert back.ended is not None
    assert drilled.measured is not None
    assert drilled.measured >= (back.ended - back.started).total_seconds()
    after = await facts(world)
    assert (after.definition, after.image) == (before.definition, before.image)
    assert (after.running, after.main) == (before.running, before.main)
    assert await ports.ledger.holds(ports.target.name) == []


async def test_a_full_drill_finds_a_way_back_that_does_not_come_up_any_more(
    world: RealWorld,
) -> None:
    """The old image can't live with a variable that the program has since: no preview shows it."""
    await released(world, 1)
    start = {"adapter/src/start.sh": START.format(before=WITHOUT_MODELS)}
    old = await world.deploy(world.commit(files=start))
    assert old.state is State.LIVE, old.release.reason
    new = await world.deploy(world.commit())
    assert new.state is State.LIVE, new.release.reason
    program = world.file(PROGRAM)
    image = "image: ${adapterImage}\n"
    world.commit(files={PROGRAM: program.replace(image, f"{image}                {MODELS}\n")})
    await asyncio.to_thread(world.operator.up)
    try:
        await found_at_last(world)
        before = await facts(world)
        ports = await world.ports(full_drill=True)

        shown = await drill(ports)
        drilled = await drill_fully(ports)

        assert (shown.result, shown.to) == (Result.WORKS, old.release.commit), shown.why
        assert drilled.result is Result.FAILS, drilled.why
        assert drilled.why.startswith("the rollback: disproven"), drilled.why
        assert "exit code 7" in drilled.why
        assert (await world.newest()).state is State.RESTORED
        after = await facts(world)
        assert (after.definition, after.image) == (before.definition, before.image)
        assert after.running == before.running
    finally:
        world.commit(files={PROGRAM: program})
        await asyncio.to_thread(world.operator.up)


async def test_a_full_drill_rolls_nothing_back_where_the_drill_says_that_it_would_not_work(
    world: RealWorld,
) -> None:
    await released(world)
    before = await facts(world)

    with pull_account_revoked(world.box):
        drilled = await drill_fully(await world.ports(full_drill=True))

    assert drilled.result is Result.FAILS, drilled.why
    assert await facts(world) == before


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


async def at_rest(world: RealWorld) -> None:
    """Wait until a release could start: the pods of somebody's update are still on their way."""
    async with asyncio.timeout(120):
        while True:
            found = await list_candidates(await world.eyes(), preview=False)
            if not found.outlook.refusal:
                return
            await asyncio.sleep(0.5)


def more_memory(program: str) -> str:
    """Somebody's change of the program."""
    return program.replace("memory: 64Mi", "memory: 96Mi")


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

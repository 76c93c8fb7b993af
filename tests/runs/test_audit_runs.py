"""Audit, drill and prune as Prefect runs: states with names, tables to read, events to act on."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.settings import PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW, temporary_settings

from blocks import loading
from flows import audit, candidates, drill, prune
from flows.audit import AuditOptions
from flows.deploy import release as deploy
from flows.prune import PruneOptions
from slipway.domain.finding import Severity
from slipway.errors import AccessDenied, Unreachable
from slipway.tasks.prune_report import plan_key
from tests.fakes.faults import raising
from tests.fakes.world import World, deploy_request, reference_of

# Prefect 3.8's client leaves sockets to the garbage collector when a test's loop ends.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def sockets() -> Iterator[None]:
    """What Prefect's client has left to the garbage collector goes while its warning is ignored."""
    yield
    gc.collect()


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world behind the blocks, quick enough for real time, with a way back."""
    made = World.seeded()
    made.change_target(soak=0.0)
    # These deploys are no runs, and what they log belongs to none.
    with temporary_settings({PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW: "ignore"}):
        for name in ("second", "third"):
            await deploy(made.ports(), deploy_request(made.commits[name].sha))
    made.git.branches["main"] = made.commits["third"].sha

    @contextlib.asynccontextmanager
    async def connected(target: str, _: object = None) -> AsyncIterator[Any]:
        yield made.ports(target)

    async def registered() -> list[str]:
        return [made.target.name]

    monkeypatch.setattr(loading, "connected", connected)
    monkeypatch.setattr(loading, "registered", registered)
    monkeypatch.setattr(candidates, "connected", connected)
    return made


async def table(client: PrefectClient, key: str) -> str:
    """The newest artifact under a key."""
    found = await client.read_artifacts(
        artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
    )
    return str(max(found, key=lambda each: each.created or datetime.min.replace(tzinfo=UTC)).data)


async def events(client: PrefectClient, name: str) -> list[dict[str, Any]]:
    """The events of this name, once there is one: they arrive behind the run."""
    since = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
    wanted = {"filter": {"event": {"name": [name]}, "occurred": {"since": since}}}
    async with asyncio.timeout(60):
        while True:
            answer = await client._client.post("/events/filter", json=wanted)
            answer.raise_for_status()
            if found := answer.json()["events"]:
                return list(found)
            await asyncio.sleep(0.5)


async def test_a_quiet_system_completes_quiet_with_what_runs_where(world: World) -> None:
    state = await audit.audit(return_state=True)

    assert (state.type.value, state.name) == ("COMPLETED", "Quiet")
    async with get_client() as client:
        shown = await table(client, "audit-what-runs")
    assert world.target.name in shown
    assert world.commits["third"].short in shown


async def test_a_finding_is_in_the_table_an_event_and_by_its_severity_a_failure(
    world: World,
) -> None:
    world.config.edit("bob", adapterImage=reference_of(world, "second"))

    mild = await audit.audit(return_state=True)
    strict = await audit.audit(AuditOptions(fail_on=Severity.ERROR), return_state=True)

    assert (mild.type.value, mild.name) == ("COMPLETED", "Findings")
    assert (strict.type.value, strict.name) == ("FAILED", "Findings")
    async with get_client() as client:
        assert "IMG006" in await table(client, "audit-findings")
        [event] = await events(client, "slipway.finding.new")
    assert event["payload"]["id"] == "IMG006"
    assert event["payload"]["command"].startswith("slipway deploy ")
    assert event["resource"]["slipway.target"] == world.target.name


async def test_a_drill_that_works_completes_and_leaves_the_candidates(world: World) -> None:
    state = await drill.drill(return_state=True)

    assert (state.type.value, state.name) == ("COMPLETED", "WouldWork")
    async with get_client() as client:
        assert "would work" in await table(client, "drills")
        shown = await table(client, f"candidates-{world.target.name}")
    assert world.commits["second"].short in shown


async def test_who_chooses_in_prefect_sees_what_a_target_could_go_back_to(world: World) -> None:
    second = world.commits["second"].short

    state = await candidates.candidates(world.target.name, return_state=True)

    assert (state.type.value, state.name) == ("COMPLETED", "Listed")
    assert str(state.message).endswith(f"commits; by default to {second}")
    async with get_client() as client:
        shown = await table(client, f"candidates-{world.target.name}")
    assert second in shown
    assert "allowed" in shown


async def test_candidates_that_can_not_be_listed_refuse_and_say_why(world: World) -> None:
    world.faults.always("registry.tags", AccessDenied("no: renew the token"))

    state = await candidates.candidates(world.target.name, return_state=True)

    assert (state.type.value, state.name) == ("FAILED", "Refused")
    assert state.message == "access-denied: no: renew the token"


async def test_a_drill_that_would_not_work_fails_so_that_somebody_is_told(world: World) -> None:
    world.registry.passwords.clear()

    state = await drill.drill(return_state=True)

    assert (state.type.value, state.name) == ("FAILED", "WouldNotWork")
    assert "pull-secret-unusable" in str(state.message)
    async with get_client() as client:
        told = await events(client, "slipway.drill.failed")
    assert {each["resource"]["prefect.resource.name"] for each in told} == {world.target.name}


async def test_a_drill_that_was_not_tried_is_told_so_that_an_automation_can_count_it(
    world: World,
) -> None:
    world.stack.held_by.append("somebody")

    state = await drill.drill(return_state=True)

    assert (state.type.value, state.name) == ("COMPLETED", "NotTried")
    async with get_client() as client:
        [event] = await events(client, "slipway.drill.not_tried")
    assert event["resource"]["prefect.resource.id"] == f"slipway.target.{world.target.name}"
    assert "has an update under way" in event["payload"]["why"]


async def test_a_change_beside_the_image_fails_the_drill_and_is_marked_at_the_candidates(
    world: World,
) -> None:
    world.config.edit("bob", sinkImage="ghcr.io/acme/shop/annotations-sink:main")

    state = await drill.drill(return_state=True)

    assert (state.type.value, state.name) == ("FAILED", "WouldNotWork")
    assert "not-image-only" in str(state.message)
    async with get_client() as client:
        assert "preview changes more" in await table(client, f"candidates-{world.target.name}")
    assert world.faults.effects.count("stack.preview") == 3, "two deploys, one drill"


def publish_long_ago(world: World, name: str) -> None:
    """By the ledger's clock too, which stands at the story's beginning."""
    world.publish(name)
    world.ledger.skew += (datetime.now(UTC) - world.ledger.now()).total_seconds()


async def test_a_deletion_that_fails_midway_fails_the_run_whose_table_tells_what_restores_it(
    world: World,
) -> None:
    publish_long_ago(world, "sick")
    world.registry.restores = True
    repository = world.target.service.repository
    planned = await prune.prune(repository, return_state=True)
    plan = str(planned.message).split()[1].rstrip(":")
    world.faults.after("registry.remove", raising(Unreachable("no: try again")))

    done = await prune.prune(repository, PruneOptions(apply=plan), return_state=True)

    assert (done.type.value, done.name) == ("FAILED", "Stopped")
    assert done.message == "unreachable: no: try again; until then 0 manifests deleted"
    assert world.digest_of("sick") is None
    async with get_client() as client:
        assert "restored by version 1" in await table(client, plan_key(repository))


async def test_a_plan_is_shown_and_applied_only_by_its_hash(world: World) -> None:
    publish_long_ago(world, "sick")
    repository = world.target.service.repository

    planned = await prune.prune(repository, return_state=True)
    assert (planned.type.value, planned.name) == ("COMPLETED", "Planned")
    assert world.registry.removed == []
    plan = str(planned.message).split()[1].rstrip(":")

    wrong = await prune.prune(repository, PruneOptions(apply="0" * 16), return_state=True)
    assert (wrong.type.value, wrong.name) == ("FAILED", "Refused")
    assert world.registry.removed == []

    done = await prune.prune(repository, PruneOptions(apply=plan), return_state=True)
    assert (done.type.value, done.name) == ("COMPLETED", "Pruned")
    assert world.digest_of("sick") is None


async def test_a_repository_that_no_target_has_is_refused_with_those_there_are(
    world: World,
) -> None:
    state = await prune.prune("ghcr.io/x/y", return_state=True)

    assert (state.type.value, state.name) == ("FAILED", "Refused")
    assert world.target.service.repository in str(state.message)

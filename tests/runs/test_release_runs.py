"""A release as a Prefect run: states with names, steps to look at, artifacts to read."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import State
from prefect.states import Cancelling, Running

from flows import deploy, recover, rollback
from flows.parameters import DeployOptions
from flows.states import as_prefect_state
from slipway.domain.hold import NewHold, NewVeto
from slipway.domain.release import Outcome
from slipway.errors import InvalidInput
from tests.fakes.world import World, deploy_request

# Prefect 3.8's client leaves sockets to the garbage collector when a test's loop ends.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world behind the blocks; it is seeded by the first run that asks for its ports."""
    made = World()

    @contextlib.asynccontextmanager
    async def connected(target: str) -> AsyncIterator[Any]:
        yield made.ports(target)

    for module in (deploy, rollback, recover):
        monkeypatch.setattr(module, "connected", connected)
    return made


async def seeded(world: World) -> World:
    """The world as `World.seeded` makes it, quick enough for real time."""
    fresh = World.seeded()
    world.__dict__.update(fresh.__dict__)
    world.change_target(soak=0.0)
    return world


async def run(world: World, name: str, **options: Any) -> State[Any]:
    return await deploy.deploy(
        world.commits[name].sha, world.target.name, return_state=True, **options
    )


async def cancelled_at(world: World, effect: str) -> UUID:
    """The id of a run that was cancelled before an effect, as its process is asked to."""
    running = asyncio.ensure_future(run(world, "second"))

    async def cancel() -> None:
        running.cancel()
        await asyncio.sleep(0)

    world.faults.before(effect, cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running
    [newest, *_] = await world.ledger.history(world.target.name)
    return UUID(newest.request.prefect_run)


async def step_ends(
    client: PrefectClient, flow_run: UUID, wanted: set[str]
) -> dict[str, str | None]:
    """The end of each wanted step of a run, once all have ended."""
    of_this = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run]))
    async with asyncio.timeout(60):
        while True:
            runs = await client.read_task_runs(flow_run_filter=of_this)
            ends = {
                each.name.rsplit("-", 1)[0]: each.state.name
                for each in runs
                if each.state is not None and each.state.is_final()
            }
            if wanted <= set(ends):
                return {name: ends[name] for name in wanted}
            await asyncio.sleep(0.2)


async def steps_of(client: PrefectClient, flow_run: UUID, wanted: set[str]) -> set[str]:
    """The names of a run's steps, once the wanted ones are there: they come later, as events."""
    of_this = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run]))
    async with asyncio.timeout(60):
        while True:
            runs = await client.read_task_runs(flow_run_filter=of_this)
            names = {each.name.rsplit("-", 1)[0] for each in runs}
            if wanted <= names:
                return names
            await asyncio.sleep(0.2)


async def test_a_live_release_completes_as_live_with_its_steps_and_its_report(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await seeded(world)
    caplog.set_level(logging.INFO)

    state = await run(world, "second", requested_by="ada")

    assert (state.type.value, state.name) == ("COMPLETED", "Live")
    assert state.message is not None
    assert state.message.startswith("proven: ")
    [newest, *_] = await world.ledger.history(world.target.name)
    assert newest.request.requested_by == "ada"
    run_id = newest.request.prefect_run
    async with get_client() as client:
        flow_run = await client.read_flow_run(UUID(run_id))
        wanted = {"build the image", "pin the image in ESC", "apply with pulumi up"}
        names = await steps_of(client, flow_run.id, wanted)
        artifacts = await client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run.id]))
        )
    assert flow_run.name == f"deploy {world.commits['second'].short} to {world.target.name}"
    assert wanted <= names
    assert {artifact.type for artifact in artifacts} == {"markdown", "progress"}
    [report] = [each for each in artifacts if each.type == "markdown"]
    assert str(newest.digest) in str(report.data)
    [bar] = [each for each in artifacts if each.type == "progress"]
    assert bar.data == 100
    assert bar.description == f"{world.target.name}: live"


@pytest.mark.parametrize(("name", "state_name"), [("crashing", "Restored"), ("broken", "Refused")])
async def test_other_ends_fail_under_a_name_of_their_own(
    world: World, name: str, state_name: str
) -> None:
    await seeded(world)

    state = await run(world, name)

    assert (state.type.value, state.name) == ("FAILED", state_name)


async def test_the_step_that_a_cancel_interrupts_is_cancelled_and_the_restore_completes(
    world: World,
) -> None:
    await seeded(world)

    run_id = await cancelled_at(world, "stack.server-side-apply")

    [newest, *_] = await world.ledger.history(world.target.name)
    async with get_client() as client:
        ends = await step_ends(client, run_id, {"apply with pulumi up", "take the pin back"})
    assert newest.state.value == "restored"
    assert newest.reason.startswith("cancelled: ")
    assert ends == {"apply with pulumi up": "Cancelled", "take the pin back": "Completed"}


async def test_deploying_what_runs_completes_as_unchanged(world: World) -> None:
    await seeded(world)
    await run(world, "second")

    state = await run(world, "second")

    assert (state.type.value, state.name) == ("COMPLETED", "Unchanged")


async def test_a_rollback_completes_as_live(world: World) -> None:
    await seeded(world)
    await run(world, "second")

    state = await rollback.rollback(world.target.name, "it is slow", return_state=True)

    assert (state.type.value, state.name) == ("COMPLETED", "Live")
    assert world.runs() == {world.digest_of("first")}


async def test_automation_completes_as_held_and_as_superseded_and_fails_as_vetoed(
    world: World,
) -> None:
    """As a program starts a run: by the parameter of the deployment's form."""
    await seeded(world)
    automatic = DeployOptions(automatic=True)
    await world.ledger.place_veto(world.target.name, NewVeto(world.commits["third"], "bad", "ada"))

    live = await run(world, "second", options=automatic)
    superseded = await run(world, "first", options=automatic)
    vetoed = await run(world, "third", options=automatic)
    await rollback.rollback(world.target.name, "it is slow", return_state=True)
    held = await run(world, "second", options=automatic)

    assert [(each.type.value, each.name) for each in (live, superseded, vetoed, held)] == [
        ("COMPLETED", "Live"),
        ("COMPLETED", "Superseded"),
        ("FAILED", "Refused"),
        ("COMPLETED", "Held"),
    ]


async def test_a_persons_deploy_that_is_overtaken_by_a_hold_fails_as_held(world: World) -> None:
    await seeded(world)

    async def hold() -> None:
        await world.ledger.place_hold(world.target.name, NewHold("the database moves", "ada"))

    world.faults.before("builder.build", hold)
    state = await run(world, "second", why="it is quicker")

    assert (state.type.value, state.name) == ("FAILED", "Held")


async def test_a_release_whose_end_the_ledger_did_not_take_says_so(
    world: World,
) -> None:
    await seeded(world)
    release = await world.ledger.open(world.target, deploy_request(world.commits["second"].sha))

    state = as_prefect_state(Outcome(release))

    assert (state.type.value, state.name) == ("FAILED", "NeedsAttention")
    assert f"slipway recover {world.target.name}" in (state.message or "")


async def test_a_person_passes_a_veto_by_the_form(world: World) -> None:
    await seeded(world)
    await world.ledger.place_veto(world.target.name, NewVeto(world.commits["second"], "bad", "ada"))

    refused = await run(world, "second")
    live = await run(world, "second", options=DeployOptions(even_if_vetoed="it was the network"))

    assert (refused.name, live.name) == ("Refused", "Live")


async def test_a_recovery_with_nothing_to_do_completes(world: World) -> None:
    await seeded(world)

    state = await recover.recover(world.target.name, return_state=True)

    assert (state.type.value, state.name) == ("COMPLETED", "Nothing")


async def test_a_retried_run_refuses_and_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seeded(world)
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__RUN_COUNT", "2")

    state = await run(world, "second")

    assert (state.type.value, state.name) == ("FAILED", "Refused")
    assert "start a new run" in (state.message or "")
    assert not world.faults.effects


async def test_what_is_wrong_before_there_is_a_release_is_refused_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seeded(world)

    @contextlib.asynccontextmanager
    async def connected(target: str) -> AsyncIterator[Any]:
        raise InvalidInput(f"no target {target!r} is registered")
        yield

    monkeypatch.setattr(deploy, "connected", connected)

    state = await run(world, "second")

    assert (state.type.value, state.name) == ("FAILED", "Refused")
    assert state.message == f"invalid-input: no target {world.target.name!r} is registered"


async def test_what_the_library_logs_is_in_the_runs_log(world: World) -> None:
    await seeded(world)

    await run(world, "broken")

    [newest, *_] = await world.ledger.history(world.target.name)
    lines = await log_of(newest.request.prefect_run, "is refused: build-failed")
    assert any(line.startswith(f"commit {newest.commit}: broken") for line in lines)


async def log_of(run_id: str, awaited: str) -> list[str]:
    """The run's log lines once `awaited` is among them; Prefect sends them in the background."""
    wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[UUID(run_id)]))
    deadline = asyncio.get_running_loop().time() + 30
    lines: list[str] = []
    while not any(awaited in line for line in lines):
        assert asyncio.get_running_loop().time() < deadline, lines
        await asyncio.sleep(0.5)
        async with get_client() as client:
            lines = [each.message for each in await client.read_logs(wanted, limit=200)]
    return lines


@pytest.mark.parametrize(("left", "ended"), [(Running(), "Crashed"), (Cancelling(), "Cancelled")])
async def test_the_run_of_a_dead_process_is_ended_by_recovery(
    world: World, left: State[Any], ended: str
) -> None:
    await seeded(world)
    async with get_client() as client:
        died = await client.create_flow_run(deploy.deploy, state=left)
        request = replace(deploy_request("1234567"), prefect_run=str(died.id))
        release = await world.ledger.open(world.target, request)
        await world.ledger.save(replace(release, fence=1))

        recovered = await recover.recover(world.target.name, return_state=True)
        now = (await client.read_flow_run(died.id)).state

    assert now is not None
    assert now.name == ended
    assert now.message is not None
    assert now.message.startswith("its process ended; recovery by run recover the stack of ")
    assert str(recovered.state_details.flow_run_id) in now.message
    assert now.message.endswith(f"ended release {release.id} refused")

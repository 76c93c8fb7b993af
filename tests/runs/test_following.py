"""`slipway deploy` without --local: the run is started by its deployment, followed, and told."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import LogCreate
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState
from prefect.flows import Flow
from prefect.states import Completed, Crashed, Failed, Running
from prefect.utilities.callables import parameter_schema

from flows.deploy import deploy
from flows.rollback import rollback
from slipway.cli import prefect_run
from slipway.cli.main import main
from slipway.cli.session import Session
from slipway.domain.release import Kind, Request, State
from slipway.errors import Unreachable
from slipway.ports import Ledger
from tests.fakes.ledger import MemoryLedger
from tests.fakes.world import make_target

# Prefect 3.8's client leaves sockets to the garbage collector when a test's loop ends.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

TARGET = make_target("adapter")
COMMIT = "1" * 40


class LedgerSession(Session):
    """A session whose ledger the test writes, as the worker would."""

    def __init__(self) -> None:
        super().__init__(Path("slipway.toml"))
        self.memory = MemoryLedger()

    def ledger(self) -> Ledger:
        return self.memory


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the lines are there before the end."""
    monkeypatch.setattr(prefect_run, "POLL_EVERY", 0.1)
    monkeypatch.setattr(prefect_run, "LAST_LINES", 0.1)


async def deployed(client: PrefectClient, flow: Flow[..., Any]) -> None:
    """The deployment that prefect.yaml describes, with the parameters that the flow takes."""
    await client.create_deployment(
        flow_id=await client.create_flow(flow),
        name=TARGET.name,
        parameter_openapi_schema=parameter_schema(flow).model_dump_for_openapi(),
        enforce_parameter_schema=True,
    )


async def started(client: PrefectClient, before: set[Any]) -> FlowRun:
    """The run that the command starts."""
    async with asyncio.timeout(30):
        while True:
            for run in await client.read_flow_runs():
                if run.id not in before:
                    return run
            await asyncio.sleep(0.1)


async def follow(
    words: list[str], *states: RunState[Any], session: LedgerSession, flow: Flow[..., Any] = deploy
) -> tuple[Result, FlowRun]:
    """Type the command, and play the worker that takes the run through the states."""
    async with get_client() as client:
        await deployed(client, flow)
        before = {run.id for run in await client.read_flow_runs()}
        typed = asyncio.create_task(asyncio.to_thread(CliRunner().invoke, main, words, obj=session))
        run = await started(client, before)
        for state in states:
            line = LogCreate(
                name="slipway",
                level=20,
                message=f"about to be {state.name}",
                timestamp=datetime.now(UTC),
                flow_run_id=run.id,
            )
            await client.create_logs([line])
            if state.is_final() and run.parameters.get("why") == "known to the ledger":
                await in_ledger(session.memory, run)
            await client.set_flow_run_state(run.id, state, force=True)
        return await typed, run


async def in_ledger(ledger: MemoryLedger, run: FlowRun) -> None:
    """What the flow run's release leaves in the ledger."""
    request = Request(Kind.DEPLOY, COMMIT, "ada", prefect_run=str(run.id))
    release = await ledger.open(TARGET, request)
    await ledger.save(release.to(State.RESTORING, "disproven: it crashes").to(State.RESTORED))


@pytest.mark.parametrize(
    ("state", "code", "told"),
    [
        (Completed(name="Live", message="proven: it runs"), 0, "live"),
        (Completed(name="Unchanged", message="unchanged: it runs"), 0, "live"),
        (Failed(name="Restored", message="disproven: it crashes"), 3, "restored"),
        (Failed(name="Refused", message="build-failed: no"), 4, "refused"),
        (Failed(name="NeedsAttention", message="unproven: no"), 5, "needs attention"),
        (Crashed(message="the process died"), 5, "needs attention"),
    ],
)
async def test_a_run_is_told_by_its_state_where_the_ledger_is_elsewhere(
    state: RunState[Any], code: int, told: str
) -> None:
    words = ["deploy", TARGET.name, COMMIT, "--json"]

    result, run = await follow(words, Running(), state, session=LedgerSession())

    assert result.exit_code == code, result.output
    assert json.loads(result.stdout)["state"] == told
    assert json.loads(result.stdout)["prefect_run"] == str(run.id)
    assert "SLIPWAY_LEDGER_URL" in result.stderr


async def test_the_log_is_shown_once_and_in_order() -> None:
    words = ["deploy", TARGET.name, COMMIT]

    result, _ = await follow(words, Running(), Completed(name="Live"), session=LedgerSession())

    lines = [line for line in result.stderr.splitlines() if "about to be" in line]
    assert [line.split(" ", 1)[1] for line in lines] == ["about to be Running", "about to be Live"]
    assert "is Live" in result.stderr


async def test_the_run_gets_what_was_typed() -> None:
    urn = "urn:pulumi:prod::cluster::kubernetes:core/v1:Service::web:spec.ports@0123456789ab"
    words = ["deploy", TARGET.name, COMMIT, "--reason", "it is better", "--first"]

    _, run = await follow(
        [*words, "--allow-change", urn], Completed(name="Live"), session=LedgerSession()
    )

    assert (run.parameters["commit"], run.parameters["target"]) == (COMMIT, TARGET.name)
    assert run.parameters["why"] == "it is better"
    assert run.parameters["requested_by"]
    assert run.parameters["options"] == {
        "first": True,
        "adopt_image": False,
        "no_way_back": False,
        "allow_changes": [urn],
        "automatic": False,
        "even_if_vetoed": "",
    }


async def test_a_rollback_gets_what_was_typed() -> None:
    words = ["rollback", TARGET.name, "--reason", "it is slow", "--only-image"]

    _, run = await follow(words, Completed(name="Live"), session=LedgerSession(), flow=rollback)

    assert run.parameters["to"] == "previous"
    assert run.parameters["why"] == "it is slow"
    assert run.parameters["options"]["only_image"] is True


async def test_the_ledger_tells_more_than_the_run() -> None:
    session = LedgerSession()
    words = ["deploy", TARGET.name, COMMIT, "--json", "--reason", "known to the ledger"]

    result, run = await follow(words, Failed(name="Restored"), session=session)

    record = json.loads(result.stdout)
    assert result.exit_code == 3
    assert (record["prefect_run"], record["state"]) == (str(run.id), "restored")


async def test_a_target_without_a_deployment_is_a_usage_error() -> None:
    invoked = asyncio.to_thread(
        CliRunner().invoke, main, ["deploy", "nowhere", COMMIT], obj=LedgerSession()
    )

    result = await invoked

    assert result.exit_code == 2
    assert "slipway register" in result.stderr
    assert "prefect deploy --all" not in result.stderr


async def test_a_run_that_no_worker_takes_is_told_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prefect_run, "HINT_AFTER", 0.0)
    words = ["deploy", TARGET.name, COMMIT]

    result, _ = await follow(words, Completed(name="Live"), session=LedgerSession())

    assert result.stderr.count("prefect worker start --pool slipway") == 1


def failing(times: int, error: Exception, method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, after it has failed for some times."""
    left = [times]

    async def called(*words: Any, **named: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise error
        return await method(*words, **named)

    return called


async def test_a_server_that_is_away_for_a_while_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = failing(3, httpx.ConnectError("refused"), PrefectClient.read_logs)
    monkeypatch.setattr(PrefectClient, "read_logs", gone)
    words = ["deploy", TARGET.name, COMMIT]

    result, _ = await follow(words, Running(), Completed(name="Live"), session=LedgerSession())

    lines = [line for line in result.stderr.splitlines() if "about to be" in line]
    assert result.exit_code == 0, result.output
    assert [line.split(" ", 1)[1] for line in lines] == ["about to be Running", "about to be Live"]


async def test_a_run_that_is_lost_from_sight_goes_on_and_is_no_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prefect_run, "AWAY_WITHIN", 0.0)
    gone = failing(100, httpx.ConnectError("refused"), PrefectClient.read_logs)
    monkeypatch.setattr(PrefectClient, "read_logs", gone)
    words = ["deploy", TARGET.name, COMMIT, "--json"]

    result, run = await follow(words, session=LedgerSession())

    record = json.loads(result.stdout)
    assert result.exit_code == 5, result.output
    assert record["prefect_run"] == str(run.id)
    assert f"run {run.name} goes on" in result.stderr
    assert f"prefect flow-run inspect {run.id}" in result.stderr
    assert record["state"] == "needs attention"


async def test_a_ledger_that_fails_after_the_end_takes_nothing_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = LedgerSession()
    gone = failing(1, Unreachable("the ledger is gone: look"), session.memory.history)
    monkeypatch.setattr(session.memory, "history", gone)
    words = ["deploy", TARGET.name, COMMIT, "--json"]

    result, _ = await follow(words, Running(), Failed(name="Restored"), session=session)

    assert result.exit_code == 3
    assert json.loads(result.stdout)["state"] == "restored"
    assert "the ledger is gone: look" in result.stderr


async def test_a_start_whose_answer_is_lost_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = failing(1, httpx.ReadError("reset"), PrefectClient.create_flow_run_from_deployment)
    monkeypatch.setattr(PrefectClient, "create_flow_run_from_deployment", gone)
    async with get_client() as client:
        await deployed(client, deploy)
    words = ["deploy", TARGET.name, COMMIT]

    result = await asyncio.to_thread(CliRunner().invoke, main, words, obj=LedgerSession())

    assert result.exit_code == 5
    assert f"slipway history {TARGET.name}" in result.stderr

"""A push becomes one run on a real Prefect server, however often it comes and whoever dies."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas import OrchestrationResult
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import SetStateStatus
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelled, Crashed, Pending

from blocks.file import SlipwayFile
from slipway.cli.deployments import save_deployments
from slipway.clients.prefect_api import PrefectApi, PrefectServer
from slipway.ports import RunState
from tests.webhook.process import TARGET, WebhookProcess

# Prefect 3.8's client leaves sockets to the garbage collector when a test's loop ends.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.timeout(900),  # processes start slowly where others are busy
]
WITHIN = 300.0


async def runs() -> Sequence[FlowRun]:
    """Every run of the target's deploys."""
    async with get_client() as client:
        named = DeploymentFilter(name=DeploymentFilterName(any_=[TARGET]))
        return await client.read_flow_runs(deployment_filter=named)


async def until_there_are(number: int) -> Sequence[FlowRun]:
    async with asyncio.timeout(WITHIN):
        while len(found := await runs()) < number:  # noqa: ASYNC110 - Prefect tells nobody
            await asyncio.sleep(0.5)
    return found


async def outcomes(webhook: WebhookProcess, number: int) -> list[str]:
    """The outcomes of all deliveries, newest first, once so many are decided."""
    async with asyncio.timeout(WITHIN):
        while True:
            shown = await asyncio.to_thread(webhook.deliveries)
            decided = [each["targets"][0]["outcome"] for each in shown]
            if sum(each is not None for each in decided) >= number:
                return decided
            await asyncio.sleep(0.5)


async def reason_with(webhook: WebhookProcess, words: str) -> str:
    """Why the newest delivery ended as it did, once these words stand in it."""
    async with asyncio.timeout(WITHIN):
        while True:
            shown = await asyncio.to_thread(webhook.deliveries)
            reason = str(shown[0]["targets"][0]["reason"])
            if words in reason:
                return reason
            await asyncio.sleep(0.5)


async def test_a_push_is_one_run_and_a_burst_behind_it_is_one_more(tmp_path: Path) -> None:
    webhook = WebhookProcess(tmp_path, str(PREFECT_API_URL.value()))
    file = SlipwayFile(webhook.config, {}, frozenset())
    async with get_client() as client:
        await save_deployments(client, [file.target(TARGET).target()])
    commits = [webhook.repository.commit(main=str(number)) for number in range(6)]

    with webhook.running(end=signal.SIGKILL):
        webhook.deliver_push(commits[1], commits[0], "delivery-1")
        [first] = await until_there_are(1)
    with webhook.running():
        for _ in range(3):
            assert webhook.deliver_push(commits[1], commits[0], "delivery-1").status_code == 202
        for number in (3, 5, 2, 4):
            webhook.deliver_push(commits[number], commits[number - 1], f"delivery-{number}")
        async with get_client() as client:
            await client.set_flow_run_state(first.id, Cancelled(), force=True)
        ended = await outcomes(webhook, 5)
        found = await until_there_are(2)

    assert sorted(ended) == ["started"] * 2 + ["superseded"] * 3
    assert len(found) == 2
    assert {each.parameters["commit"] for each in found} == {commits[1], commits[5]}
    assert first.parameters["target"] == TARGET
    assert first.parameters["options"] == {"automatic": True}
    assert first.parameters["requested_by"] == "github:ada"


async def test_a_run_whose_worker_died_before_its_release_is_started_again(tmp_path: Path) -> None:
    webhook = WebhookProcess(tmp_path, str(PREFECT_API_URL.value()))
    file = SlipwayFile(webhook.config, {}, frozenset())
    commits = [webhook.repository.commit(main=str(number)) for number in range(2)]
    async with get_client() as client:
        await save_deployments(client, [file.target(TARGET).target()])
        before = {each.id for each in await runs()}
        with webhook.running():
            webhook.deliver_push(commits[1], commits[0], "delivery-lost")
            found = await until_there_are(len(before) + 1)
            [first] = [each for each in found if each.id not in before]
            await client.set_flow_run_state(first.id, Crashed(), force=True)
            found = await until_there_are(len(before) + 2)
            reason = await reason_with(webhook, "attempt 2")
    [again] = [each for each in found if each.id not in before | {first.id}]

    assert again.parameters == first.parameters
    assert f"run {first.id} was lost" in reason
    assert f"run {again.id} is attempt 2" in reason


async def test_a_run_that_is_given_up_is_crashed_in_prefect_too(tmp_path: Path) -> None:
    webhook = WebhookProcess(tmp_path, str(PREFECT_API_URL.value()))
    file = SlipwayFile(webhook.config, {}, frozenset())
    prefect = PrefectApi(PrefectServer(str(PREFECT_API_URL.value())))
    async with get_client() as client:
        await save_deployments(client, [file.target(TARGET).target()])
        run = await prefect.start(f"deploy/{TARGET}", {"commit": "1" * 40}, "to be lost")
        waits = await prefect.state(run)
        await client.set_flow_run_state(UUID(run), Pending(), force=True)
        taken = await prefect.state(run)

        await prefect.give_up(run, "its worker died")

        assert (waits, taken) == (RunState.WAITS, RunState.TAKEN)
        assert await prefect.state(run) is RunState.CRASHED
        state = (await client.read_flow_run(UUID(run))).state
        assert state is not None
        assert state.message == "its worker died"
        await prefect.close()


async def test_a_run_that_is_withdrawn_before_a_worker_has_taken_it_is_taken_by_none(
    tmp_path: Path,
) -> None:
    webhook = WebhookProcess(tmp_path, str(PREFECT_API_URL.value()))
    file = SlipwayFile(webhook.config, {}, frozenset())
    prefect = PrefectApi(PrefectServer(str(PREFECT_API_URL.value())))
    async with get_client() as client:
        await save_deployments(client, [file.target(TARGET).target()])
        waits, taken = [
            await prefect.start(f"deploy/{TARGET}", {"commit": "1" * 40}, key)
            for key in ("to be withdrawn", "to be taken")
        ]
        await client.set_flow_run_state(UUID(taken), Pending(), force=True)

        assert await prefect.withdraw(waits, "superseded")
        assert not await prefect.withdraw(taken, "superseded")

        assert await prefect.state(waits) is RunState.ENDED
        assert await prefect.state(taken) is RunState.STOPPING
        late: OrchestrationResult[object] = await client.set_flow_run_state(UUID(waits), Pending())
        assert late.status is SetStateStatus.ABORT
        assert not await prefect.withdraw(waits, "superseded")
        await prefect.close()

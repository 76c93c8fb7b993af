"""Running a release by a Prefect worker: start the run, follow its log, tell its end."""

import asyncio
import logging
import sys
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import click
import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import LogSort
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.settings import PREFECT_UI_URL

from slipway.domain.release import Kind, Release, Request
from slipway.errors import InvalidInput, Unreachable
from slipway.ports import Ledger

POLL_EVERY = 1.0
OURS = frozenset({"flows", "slipway"})
"""Loggers whose lines tell a release's story."""
PAGE = 200
HINT_AFTER = 20.0
"""Seconds after which a run that nobody works on is worth a word."""
LAST_LINES = 2.5
"""Seconds after its end in which a run's last lines still arrive: workers send them in batches."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended in Prefect; `release` is its row, None when our ledger has none."""

    run: UUID
    name: str
    message: str
    release: Release | None


async def release_by_worker(target: str, request: Request, ledger: Ledger) -> RunEnd:
    """Start the target's deployment and follow the run to its end; leaving ends only following."""
    try:
        async with get_client() as client:
            run = await _start(client, target, request)
            click.echo(f"started {run.name}: {_address(run)}", err=True)
            try:
                ended = await _follow(client, run)
            except asyncio.CancelledError:
                click.echo(f"the run goes on; prefect flow-run cancel {run.id} ends it", err=True)
                raise
    except (httpx.HTTPError, PrefectException) as error:
        raise Unreachable(
            f"the Prefect server did not answer: {type(error).__name__} {error}; check "
            "PREFECT_API_URL, or release with --local"
        ) from error
    state = ended.state
    assert state is not None  # noqa: S101 - a run that has ended has a state
    history = await ledger.history(target)
    release = next((each for each in history if each.request.prefect_run == str(run.id)), None)
    return RunEnd(run.id, state.name or state.type.value, state.message or "", release)


async def _start(client: PrefectClient, target: str, request: Request) -> FlowRun:
    name = f"{request.kind}/{target}"
    try:
        deployment = await client.read_deployment_by_name(name)
    except ObjectNotFound as error:
        raise InvalidInput(
            f"Prefect has no deployment {name}: run slipway register and prefect deploy --all, or "
            "release with --local"
        ) from error
    return await client.create_flow_run_from_deployment(
        deployment.id, parameters=_parameters(target, request)
    )


def _parameters(target: str, request: Request) -> dict[str, Any]:
    options = request.options
    allowed: dict[str, Any] = {
        "no_way_back": options.no_way_back,
        "allow_changes": [str(each) for each in options.allow_changes],
    }
    common = {"target": target, "requested_by": request.requested_by, "why": request.why}
    if request.kind is Kind.DEPLOY:
        allowed |= {"first": options.first, "adopt_image": options.adopt_image}
        return {**common, "commit": request.wanted, "options": allowed}
    return {**common, "to": request.wanted, "options": allowed | {"only_image": options.only_image}}


async def _follow(client: PrefectClient, run: FlowRun) -> FlowRun:
    loop = asyncio.get_running_loop()
    began, shown, told, hinted = loop.time(), 0, "", False
    while True:
        now = await client.read_flow_run(run.id)
        state = now.state
        final = state is not None and state.is_final()
        if final:
            await asyncio.sleep(LAST_LINES)
        shown += await _print_log(client, run.id, shown)
        if state is not None and state.name != told:
            told = state.name or ""
            click.echo(f"run {now.name} is {told}", err=True)
        if final:
            return now
        waits = state is not None and state.type in {StateType.SCHEDULED, StateType.PENDING}
        if waits and not hinted and loop.time() - began >= HINT_AFTER:
            hinted = True
            click.echo("no worker has taken it yet: prefect worker start --pool slipway", err=True)
        await asyncio.sleep(POLL_EVERY)


async def _print_log(client: PrefectClient, run: UUID, offset: int) -> int:
    """Print the lines after the first `offset`; how many there were."""
    wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run]))
    printed = 0
    while True:
        lines = await client.read_logs(
            wanted, limit=PAGE, offset=offset + printed, sort=LogSort.TIMESTAMP_ASC
        )
        for each in lines:
            # Prefect's own lines about each step only repeat what ours say, unless they warn.
            if each.name.partition(".")[0] not in OURS and each.level < logging.WARNING:
                continue
            stamp = each.timestamp.astimezone().strftime("%H:%M:%S")
            sys.stderr.write(f"{stamp} {each.message}\n")
        printed += len(lines)
        if len(lines) < PAGE:
            return printed


def _address(run: FlowRun) -> str:
    base = PREFECT_UI_URL.value()
    return f"{base}/runs/flow-run/{run.id}" if base else str(run.id)

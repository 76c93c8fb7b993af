"""Running a release by a Prefect worker: start the run, follow its log, tell its end."""

import asyncio
import contextlib
import logging
import sys
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import click
import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import LogSort
from prefect.exceptions import ObjectNotFound, PrefectException

from blocks.ledger import VARIABLE
from slipway.domain.redaction import redacted_error
from slipway.domain.release import Kind, Release, Request
from slipway.errors import InvalidInput, SlipwayError, Unproven, Unreachable
from slipway.ports import Ledger
from slipway.tasks.policies import run_address

FOREIGN = (httpx.HTTPError, PrefectException)
"""What Prefect's client raises when its server can't be asked."""
POLL_EVERY = 1.0
OURS = frozenset({"flows", "slipway"})
"""Loggers whose lines tell a release's story."""
PAGE = 200
HINT_AFTER = 20.0
"""Seconds after which a run that nobody works on is worth a word."""
LAST_LINES = 2.5
"""Seconds after its end in which a run's last lines still arrive: workers send them in batches."""


AWAY_WITHIN = 60.0
"""Seconds for which a server that has gone away while a run is followed is asked again."""
LONGEST_PAUSE = 8.0


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended in Prefect, or that it was lost from sight (`name` is empty then).

    `release` is its row; where our ledger gave none, `untold` says why.
    """

    run: UUID
    name: str
    message: str
    release: Release | None
    untold: str = ""


async def release_by_worker(target: str, request: Request, ledger: Ledger) -> RunEnd:
    """Start the target's deployment and follow the run to its end; leaving ends only following."""
    async with contextlib.AsyncExitStack() as stack:
        client, run = await _started(stack, target, request)
        click.echo(f"started {run.name}: {_address(run)}", err=True)
        try:
            ended = await _Following(client, run).to_the_end()
        except asyncio.CancelledError:
            click.echo(f"the run goes on; prefect flow-run cancel {run.id} ends it", err=True)
            raise
        except FOREIGN as error:
            message = _lost_from_sight(target, run, error)
            click.echo(f"slipway: {message}", err=True)
            return RunEnd(run.id, "", message, *await _recorded(ledger, target, run))
    state = ended.state
    assert state is not None  # noqa: S101 - a run that has ended has a state
    name, message = state.name or state.type.value, state.message or ""
    return RunEnd(run.id, name, message, *await _recorded(ledger, target, run))


async def _started(
    stack: contextlib.AsyncExitStack, target: str, request: Request
) -> tuple[PrefectClient, FlowRun]:
    try:
        client = await stack.enter_async_context(get_client())
        return client, await _start(client, target, request)
    except FOREIGN as error:
        raise Unreachable(
            f"the Prefect server did not answer: {redacted_error(error)}; check "
            "PREFECT_API_URL, or release with --local"
        ) from error


async def _start(client: PrefectClient, target: str, request: Request) -> FlowRun:
    name = f"{request.kind}/{target}"
    try:
        deployment = await client.read_deployment_by_name(name)
    except ObjectNotFound as error:
        raise InvalidInput(
            f"Prefect has no deployment {name}: run slipway register, or release with --local"
        ) from error
    try:
        # The key makes one run of it, however often Prefect's own client sends it.
        return await client.create_flow_run_from_deployment(
            deployment.id, parameters=_parameters(target, request), idempotency_key=str(uuid4())
        )
    except (httpx.TimeoutException, httpx.ReadError, httpx.RemoteProtocolError) as error:
        raise Unproven(
            f"whether a run of {name} was started is not known, the Prefect server's answer was "
            f"lost ({redacted_error(error)}): look at prefect flow-run ls and slipway "
            f"history {target} before you start another"
        ) from error


def _lost_from_sight(target: str, run: FlowRun, error: Exception) -> str:
    return (
        f"unproven: the Prefect server has not answered for {AWAY_WITHIN:g} s "
        f"({redacted_error(error)}), but run {run.name} goes on: {_address(run)}; how it "
        f"ends: prefect flow-run inspect {run.id}, slipway history {target}"
    )


async def _recorded(ledger: Ledger, target: str, run: FlowRun) -> tuple[Release | None, str]:
    """The run's row in our ledger, or why there is none to tell of."""
    try:
        history = await ledger.history(target)
    except SlipwayError as error:
        return None, f"how the release of run {run.id} ended was not read: {error}"
    release = next((each for each in history if each.request.prefect_run == str(run.id)), None)
    untold = (
        f"this ledger has no release of run {run.id}: set {VARIABLE} to the ledger that the worker "
        "uses, and slipway history tells more"
    )
    return release, "" if release else untold


def _parameters(target: str, request: Request) -> dict[str, Any]:
    options = request.options
    allowed: dict[str, Any] = {
        "no_way_back": options.no_way_back,
        "allow_changes": [str(each) for each in options.allow_changes],
    }
    common = {"target": target, "requested_by": request.requested_by, "why": request.why}
    if request.kind is Kind.DEPLOY:
        allowed |= {
            "first": options.first,
            "adopt_image": options.adopt_image,
            "even_if_vetoed": options.even_if_vetoed,
            "automatic": request.automatic,
        }
        return {**common, "commit": request.wanted, "options": allowed}
    return {**common, "to": request.wanted, "options": allowed | {"only_image": options.only_image}}


@dataclass(slots=True)
class _Following:
    """Shows a run's log and states as they come, and asks again when the server is away."""

    client: PrefectClient
    run: FlowRun
    shown: int = 0
    told: str = ""
    hinted: bool = False

    async def to_the_end(self) -> FlowRun:
        """The run in its final state; the server's error when it stays away."""
        loop = asyncio.get_running_loop()
        began = answered = loop.time()
        pause = POLL_EVERY
        while True:
            try:
                now = await self._look(waited=loop.time() - began)
            except FOREIGN:
                if loop.time() - answered >= AWAY_WITHIN:
                    raise
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                if now.state is not None and now.state.is_final():
                    return now
                answered, pause = loop.time(), POLL_EVERY
            await asyncio.sleep(pause)

    async def _look(self, waited: float) -> FlowRun:
        now = await self.client.read_flow_run(self.run.id)
        state = now.state
        if state is None:
            return now
        if state.is_final():
            await asyncio.sleep(LAST_LINES)
        await self._show_log()
        if state.name != self.told:
            self.told = state.name or ""
            click.echo(f"run {now.name} is {self.told}", err=True)
        waits = state.type in {StateType.SCHEDULED, StateType.PENDING}
        if waits and not self.hinted and waited >= HINT_AFTER:
            self.hinted = True
            click.echo("no worker has taken it yet: prefect worker start --pool slipway", err=True)
        return now

    async def _show_log(self) -> None:
        wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[self.run.id]))
        while True:
            lines = await self.client.read_logs(
                wanted, limit=PAGE, offset=self.shown, sort=LogSort.TIMESTAMP_ASC
            )
            for each in lines:
                # Prefect's own lines about each step only repeat what ours say, unless they warn.
                if each.name.partition(".")[0] not in OURS and each.level < logging.WARNING:
                    continue
                stamp = each.timestamp.astimezone().strftime("%H:%M:%S")
                sys.stderr.write(f"{stamp} {each.message}\n")
            self.shown += len(lines)
            if len(lines) < PAGE:
                return


def _address(run: FlowRun) -> str:
    return run_address(run.id) or str(run.id)

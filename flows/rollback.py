"""Roll back: the same way as a deploy, with an image that is published already."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from blocks.loading import connected
from flows.parameters import (
    ReasonField,
    RollbackOptions,
    WayBackField,
    as_request,
    name_rollback,
)
from flows.recover import finish_others
from flows.rolling_out import confirm_running, ending_in_order, refuse, roll_out
from flows.states import as_prefect_state, refusing, was_retried
from slipway.domain.gates import require_reason
from slipway.domain.release import PREVIOUS, Kind, Outcome, Phase, Request
from slipway.errors import SlipwayError
from slipway.ports import Ports
from slipway.tasks.baseline import adopt_what_runs
from slipway.tasks.lease import held_for
from slipway.tasks.preflight import preflight
from slipway.tasks.program import choose_program, open_program
from slipway.tasks.record import Record, open_record
from slipway.tasks.report import report_release
from slipway.tasks.telling import last_words
from slipway.tasks.ways_back import choose_image


@flow(name="rollback", flow_run_name=name_rollback, persist_result=False)
@refusing
async def rollback(
    target: str,
    why: ReasonField,
    to: WayBackField = PREVIOUS,
    requested_by: str = "",
    options: RollbackOptions = RollbackOptions(),  # noqa: B008 - never changed; shown in the form
) -> State[Any]:
    """Roll a target back to an image that is published already, and prove that it runs.

    Args:
        target: Filled in already: the target's name, as in slipway.toml.
        why: The reason; it is required, and shown in the history.
        to: A commit's hash, or `previous`: the newest release proven live before this one.
        requested_by: Who asks; shown in the history.
        options: Leave these off unless a refusal has told you to allow something.
    """
    if (refusal := was_retried()) is not None:
        return refusal
    request = as_request(Kind.ROLLBACK, to, requested_by, why, options)
    async with connected(target) as ports:
        return as_prefect_state(await release(ports, request))


async def release(ports: Ports, request: Request) -> Outcome:
    """Go back to what `request` asks for: a commit, or `previous`; raises as a deploy does."""
    await adopt_what_runs(ports)
    record = await open_record(ports, request)
    try:
        await _roll_back(ports, record)
    except BaseException as error:
        await refuse(record, error)
        if not isinstance(error, SlipwayError):
            raise
    finally:
        await report_release(record.release, record.durations, record.proof)
        await last_words()
    return record.outcome


async def _roll_back(ports: Ports, record: Record) -> None:
    request = record.release.request
    require_reason(ports.target.name, request)
    await preflight(ports, request)
    async with held_for(ports, record), ending_in_order(record):
        await finish_others(ports, record.release)
        interrupted = bool(record.interrupted)
        commit, image = await choose_image(ports, request.wanted, may_run=interrupted)
        await record.note(
            Phase.PUBLISHED,
            commit=commit,
            digest=image.digest,
            image=str(image.named(commit)),
            accepted=image.accepted,
        )
        if interrupted and await confirm_running(ports, record, image):
            return
        chosen = await choose_program(ports, commit, image_only=True)
        async with open_program(ports, chosen) as program:
            await roll_out(ports, record, program, image)

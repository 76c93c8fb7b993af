"""Deploy: from a commit to proven pods."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from blocks.loading import connected
from flows.parameters import CommitField, DeployOptions, as_request, name_deploy
from flows.recover import finish_others
from flows.rolling_out import ending_in_order, refuse, roll_out
from flows.states import as_prefect_state, refusing, was_retried
from slipway.domain.release import Kind, Outcome, Phase, Request
from slipway.errors import SlipwayError
from slipway.ports import Ports
from slipway.tasks.baseline import adopt_what_runs
from slipway.tasks.commits import require_releasable, resolve_commit
from slipway.tasks.gates import check_holds, check_order, check_vetoes
from slipway.tasks.lease import held_for
from slipway.tasks.preflight import preflight
from slipway.tasks.program import choose_program, open_program
from slipway.tasks.publishing import note_alias, publish
from slipway.tasks.record import Record, open_record
from slipway.tasks.report import report_release
from slipway.tasks.telling import last_words


@flow(name="deploy", flow_run_name=name_deploy, persist_result=False)
@refusing
async def deploy(
    commit: CommitField,
    target: str,
    requested_by: str = "",
    why: str = "",
    options: DeployOptions = DeployOptions(),  # noqa: B008 - never changed; Prefect's form shows it
) -> State[Any]:
    """Deploy a commit to a target, and prove that it runs, or bring back what ran before.

    Args:
        commit: The commit's hash, 7 to 40 characters 0-9 a-f, as git prints it.
        target: Filled in already: the target's name, as in slipway.toml.
        requested_by: Who asks; shown in the history.
        why: The reason, for those who read the history; where automation is held, it is required.
        options: Leave these off unless a refusal has told you to allow something.
    """
    if (refusal := was_retried()) is not None:
        return refusal
    request = as_request(Kind.DEPLOY, commit, requested_by, why, options)
    async with connected(target) as ports:
        return as_prefect_state(await release(ports, request))


async def release(ports: Ports, request: Request) -> Outcome:
    """Deploy what `request` asks for; every end, the refusals too, is in the ledger.

    Raises only what is not an end of a release: a cancel, after it has been dealt with, and
    defects.
    """
    await adopt_what_runs(ports)
    record = await open_record(ports, request)
    try:
        await _deploy(ports, record)
    except BaseException as error:
        await refuse(record, error)
        if not isinstance(error, SlipwayError):
            raise
    finally:
        await report_release(record.release, record.durations, record.proof)
        await last_words()
    return record.outcome


async def _deploy(ports: Ports, record: Record) -> None:
    request = record.release.request
    commit = await resolve_commit(ports.source, request.wanted)
    await record.note(Phase.RESOLVED, commit=commit)
    await require_releasable(ports, commit)
    await check_vetoes(ports, record.release)
    if not request.automatic:  # a program's image is published before it is told of a hold
        await check_holds(ports, record.release)
    await preflight(ports, request, commit)
    await check_order(ports, record.release)
    image = await publish(ports, record, commit, adopt=request.options.adopt_image)
    await record.note(
        Phase.PUBLISHED,
        digest=image.digest,
        image=str(image.named(commit)),
        accepted=image.accepted,
        notes=note_alias(image, commit),
    )
    await check_holds(ports, record.release)
    async with held_for(ports, record), ending_in_order(record):
        await finish_others(ports, record.release)
        chosen = await choose_program(ports, commit, image_only=False)
        async with open_program(ports, chosen) as program:
            await roll_out(ports, record, program, image)

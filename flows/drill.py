"""The scheduled drill: fails when a default rollback would not work, so that somebody is told."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from blocks.loading import all_connected
from flows.full_drill import drill_all
from flows.states import refusing
from slipway.domain.drill import Drill, Result, worst_result
from slipway.tasks.candidate_report import report_candidates
from slipway.tasks.drill_report import report_drills


@flow(name="drill", flow_run_name="drill", persist_result=False)
@refusing
async def drill(targets: list[str] | None = None, *, full: bool = False) -> State[Any]:
    """See whether the default rollback would work at each target. Touches no production.

    Leaves what each could go back to as a table, beside whether the drill went well.

    Args:
        targets: Their names; all that are registered when left empty.
        full: Really roll back and forth again; each target must allow it (`full_drill`).
    """
    async with all_connected(targets or ()) as every:
        drills = await drill_all(every, full=full)
        for ports, each in zip(every, drills, strict=True):
            await report_candidates(ports, each.outlook)
    await report_drills(drills)
    return as_prefect_state(drills)


def as_prefect_state(drills: list[Drill]) -> State[Any]:
    """Failed where a rollback would not work; what nobody could try or tell is no failure."""
    told = "; ".join(
        f"{each.target}: {each.why}" for each in drills if each.result is not Result.WORKS
    )
    match worst_result(drills):
        case Result.FAILS:
            return Failed(name="WouldNotWork", message=told)
        case Result.NOT_TRIED:
            return Completed(name="NotTried", message=told)
        case Result.NOT_TOLD:
            return Completed(name="NotTold", message=told)
        case Result.NOTHING_YET:
            return Completed(name="NothingYet", message=told)
        case _:
            return Completed(name="WouldWork", message="all would work")

"""Candidates: what a target could go back to, for whoever is about to choose in Prefect's UI."""

from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from blocks.loading import connected
from flows.states import refusing
from slipway.tasks.candidate_report import leave_candidates
from slipway.tasks.candidates import NEWEST, Candidates, list_candidates


@flow(name="candidates", flow_run_name="candidates of {target}", persist_result=False)
@refusing
async def candidates(target: str, limit: Annotated[int, Field(ge=1)] = NEWEST) -> State[Any]:
    """Show the commits that a rollback could go to, as a table of the run. Changes nothing.

    Args:
        target: Filled in already: the name of a target.
        limit: How many are looked up, newest first; the default rollback's always is.
    """
    async with connected(target) as ports:
        found = await list_candidates(ports, limit)
    await leave_candidates(target, found)
    return Completed(name="Listed", message=_message(found))


def _message(found: Candidates) -> str:
    allowed = sum(each.allowed for each in found.listed)
    default = next((each.commit.short for each in found.listed if each.is_default), "")
    goes = f"by default to {default}" if default else found.no_default
    return f"a rollback may go to {allowed} of {len(found.listed)} commits; {goes}"

"""Drills for people: whether each rollback would work, and about how long it would take."""

from collections.abc import Mapping, Sequence

from slipway.domain.drill import Drill, Result
from slipway.tasks.report import all_told, leave_table, tell

EVENTS = {Result.FAILS: "slipway.drill.failed", Result.NOT_TRIED: "slipway.drill.not_tried"}
"""Prefect's events, by what a drill shows: one that is never tried says nothing of a rollback."""


def drill_row(drill: Drill) -> Mapping[str, str]:
    """A drill in one line."""
    expected = drill.expected_seconds
    return {
        "target": drill.target,
        "rollback": drill.result.value,
        "to": drill.to.short if drill.to else "",
        "would take": "" if expected is None else f"about {expected:.0f} s",
        "why": drill.why,
    }


async def report_drills(drills: Sequence[Drill]) -> None:
    """Leave the drills as a table of the run; tell of each that failed or was not tried."""
    rows = [drill_row(each) for each in drills]
    await leave_table("drills", rows, "would the default rollback work?")
    for each in drills:
        if (event := EVENTS.get(each.result)) is not None:
            resource = {
                "prefect.resource.id": f"slipway.target.{each.target}",
                "prefect.resource.name": each.target,
            }
            await tell(event, resource, drill_row(each))
    await all_told()

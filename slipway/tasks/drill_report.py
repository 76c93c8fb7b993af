"""Drills for people: whether each rollback would work, and about how long it would take."""

from collections.abc import Mapping, Sequence

from slipway.domain.drill import Drill, Result
from slipway.tasks.report import leave_table, tell

FAILED = "slipway.drill.failed"
"""Prefect event of a rollback that would not work."""


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
    """Leave the drills as a table of the run; tell of each that failed, as an event."""
    rows = [drill_row(each) for each in drills]
    await leave_table("drills", rows, "would the default rollback work?")
    for each in drills:
        if each.result is Result.FAILS:
            resource = {
                "prefect.resource.id": f"slipway.target.{each.target}",
                "prefect.resource.name": each.target,
            }
            await tell(FAILED, resource, drill_row(each))

"""Drills for people: whether each rollback would work, and about how long it would take."""

from collections.abc import Mapping, Sequence

from slipway.domain.candidate import Candidate
from slipway.domain.drill import Drill, Result
from slipway.ports import Ports
from slipway.tasks.candidates import list_candidates
from slipway.tasks.policies import in_flow_run
from slipway.tasks.report import best_effort

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


def candidate_row(candidate: Candidate) -> Mapping[str, str]:
    """A commit that a target could go back to, in one line."""
    info = candidate.info
    return {
        "default": "→" if candidate.is_default else "",
        "commit": candidate.commit.short,
        "committed": info.committed_at if info else "",
        "state": ", ".join(candidate.states),
        "subject": info.subject if info else "not in git",
        "rollback": "allowed" if candidate.allowed else f"refused: {candidate.refusal}",
    }


@best_effort
async def report_candidates(ports: Ports) -> None:
    """Leave what a target could go back to as a table of the run."""
    if not in_flow_run():
        return
    from prefect.artifacts import (  # noqa: PLC0415 - only a flow run pays for the import
        acreate_table_artifact,
    )

    found = await list_candidates(ports)
    await acreate_table_artifact(
        table=[dict(candidate_row(each)) for each in found.listed],
        key=f"candidates-{ports.target.name}",
        description=f"what {ports.target.name} could go back to",
    )


@best_effort
async def report_drills(drills: Sequence[Drill]) -> None:
    """Leave the drills as a table of the run; tell of each that failed, as an event."""
    if not in_flow_run():
        return
    from prefect.artifacts import (  # noqa: PLC0415 - only a flow run pays for the import
        acreate_table_artifact,
    )
    from prefect.events import emit_event  # noqa: PLC0415 - likewise

    await acreate_table_artifact(
        table=[dict(drill_row(each)) for each in drills],
        key="drills",
        description="would the default rollback work?",
    )
    for each in drills:
        if each.result is Result.FAILS:
            resource = {
                "prefect.resource.id": f"slipway.target.{each.target}",
                "prefect.resource.name": each.target,
            }
            emit_event(FAILED, resource=resource, payload=dict(drill_row(each)))

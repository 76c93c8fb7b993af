"""`slipway drill`: whether the default rollback would work, and how long it would take."""

from typing import Any

import click

from flows.full_drill import drill_all
from slipway.cli.ends import NEEDS_ATTENTION
from slipway.cli.local_run import progress_on_stderr
from slipway.cli.output import print_json, print_table
from slipway.cli.session import Session
from slipway.domain.drill import Drill, Result, worst_result
from slipway.ports import Ports
from slipway.tasks.drill_report import drill_row


@click.command
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@click.option(
    "--full", is_flag=True, help="Really roll back, and forth again; the target must allow it."
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@click.pass_context
def drill(ctx: click.Context, targets: tuple[str, ...], *, full: bool, as_json: bool) -> None:
    """Do all of TARGET's default rollback (of all targets) that comes before its first change.

    The way back is chosen, pulled with the pull secret's own credentials, and previewed. Exit
    code 5 when a rollback would not work. --full is for targets that nobody depends on.
    """
    session: Session = ctx.obj
    every = [session.ports(name) for name in targets or session.targets()]
    drills = session.run(_drill(every, full=full))
    if as_json:
        print_json([_record(each) for each in drills])
    else:
        rows = [drill_row(each) for each in drills]
        print_table(tuple(rows[0]), [tuple(row.values()) for row in rows], whole=True)
    ctx.exit(NEEDS_ATTENTION if worst_result(drills) is Result.FAILS else 0)


async def _drill(every: list[Ports], *, full: bool) -> list[Drill]:
    with progress_on_stderr():
        return await drill_all(every, full=full)


def _record(drill: Drill) -> dict[str, Any]:
    """A drill for scripts. The keys are a contract: docs/command-line.md."""
    return {
        "target": drill.target,
        "result": drill.result.value,
        "to": drill.to.sha if drill.to else None,
        "why": drill.why,
        "expected_seconds": drill.expected_seconds,
        "steps": [{"name": name, "seconds": round(seconds, 3)} for name, seconds in drill.took],
        "updates_measured": drill.updates.count,
        "measured_seconds": drill.measured,
    }

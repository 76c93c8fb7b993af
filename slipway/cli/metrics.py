"""`slipway metrics`: how releasing goes, in the words of DORA's four keys."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from slipway.cli.moments import PastMoment
from slipway.cli.output import local, print_json, print_table
from slipway.cli.session import Session
from slipway.domain.measures import Measures, Spread
from slipway.ports import Ports
from slipway.tasks.measuring import measure_targets

SPAN = timedelta(days=30)


@click.command
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@click.option(
    "--since", type=PastMoment(), help="From when on: a time, or 12h, or 8w; 30d by default."
)
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@click.pass_obj
def metrics(
    session: Session, targets: tuple[str, ...], *, since: datetime | None, as_json: bool
) -> None:
    """Measure TARGET (all by default): deployment frequency, lead time, failures, recovery."""
    every = [session.ports(name) for name in targets or session.targets()]
    found = session.run(_measure(every, since))
    if as_json:
        print_json(measures_record(found))
    else:
        _print(found)


async def _measure(every: Sequence[Ports], since: datetime | None) -> Measures:
    now = datetime.now(UTC)
    return await measure_targets(every, since or now - SPAN, now)


def measures_record(measures: Measures) -> dict[str, Any]:
    """The measures for scripts. The keys are a contract: docs/command-line.md."""
    return {
        "since": measures.since.isoformat(),
        "until": measures.until.isoformat(),
        "deploys": measures.deploys,
        "deploys_per_day": measures.per_day,
        "lead_time_seconds": asdict(measures.lead_time),
        "changed": measures.changed,
        "failed": measures.failed,
        "change_failure_rate": measures.failure_rate,
        "recovery_seconds": asdict(measures.recovery),
        "rollbacks": [
            {
                "target": each.target,
                "at": each.at.isoformat(),
                "to": str(each.to) if each.to else None,
                "why": each.why,
                "by": each.by,
            }
            for each in measures.rollbacks
        ],
    }


def _print(measures: Measures) -> None:
    rate = measures.failure_rate
    failures = "nothing changed" if rate is None else f"{rate:.0%}"
    rows = [
        ("deployment frequency", f"{measures.per_day:.2f} a day", f"{measures.deploys} went live"),
        ("lead time", _duration(measures.lead_time.median), _further(measures.lead_time)),
        ("change failure rate", failures, f"{measures.failed} of {measures.changed} failed"),
        ("recovery time", _duration(measures.recovery.median), _further(measures.recovery)),
    ]
    print_table((f"since {local(measures.since)}", "median", ""), rows)
    for each in measures.rollbacks:
        to = each.to.short if each.to else "?"
        click.echo(f"{local(each.at)}  {each.target} back to {to} by {each.by}: {each.why}")


def _further(spread: Spread) -> str:
    return f"nine of ten within {_duration(spread.p90)}, of {spread.count}" if spread.count else ""


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"

"""`slipway audit`: is what should run what runs, everywhere, and what to do where it is not."""

from typing import Any

import click

from flows.auditing import Audited, Report, what_runs_where
from flows.auditing import audit as audit_targets
from slipway.cli.ends import NEEDS_ATTENTION
from slipway.cli.output import print_json, print_table
from slipway.cli.session import Session
from slipway.domain.agreement import Unknown
from slipway.domain.auditing.picture import Lineage
from slipway.domain.finding import Finding, RecordedFinding, Severity
from slipway.domain.workloads import Workloads
from slipway.tasks.audit_report import payload, running

COLOURS = {
    Severity.CRITICAL: "red",
    Severity.ERROR: "red",
    Severity.WARNING: "yellow",
    Severity.INFO: "cyan",
}


@click.command
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@click.option(
    "--fail-on",
    type=click.Choice([each.value for each in Severity]),
    help="End with code 5 when a finding is at least so severe.",
)
@click.option(
    "--every-tag",
    is_flag=True,
    help="Also look up every tag that was ever published, and, of all targets, what nobody needs.",
)
@click.option(
    "--record", is_flag=True, help="Keep the findings, as the scheduled audit does: for cron."
)
@click.pass_context
def audit(
    ctx: click.Context,
    targets: tuple[str, ...],
    *,
    as_json: bool,
    fail_on: str | None,
    every_tag: bool,
    record: bool,
) -> None:
    """Compare git, registry, ESC, Pulumi, cluster and ledger of TARGET (all by default).

    Reads only. Each finding says what was expected, what was seen, and what to type; the runbook
    explains its id.
    """
    session: Session = ctx.obj
    session.stay()
    every = [session.ports(name) for name in targets or session.targets()]
    report = session.run(
        audit_targets(every, every_tag=every_tag, complete=not targets, record=record)
    )
    if as_json:
        print_json(report_record(report))
    else:
        _print(report)
    ctx.exit(NEEDS_ATTENTION if report.reaches(Severity(fail_on) if fail_on else None) else 0)


def report_record(report: Report) -> dict[str, Any]:
    """A report for scripts. The keys are a contract: docs/command-line.md."""
    known = report.states
    return {
        "worst": report.worst,
        "targets": [_target_record(each) for each in report.targets],
        "findings": [
            {**payload(each), "state": known.get(each.fingerprint)} for each in report.findings
        ],
        "gone": [_gone_record(each) for each in report.gone],
    }


def _target_record(audited: Audited) -> dict[str, Any]:
    picture = audited.picture
    parts, seen, git = picture.parts.items(), picture.cluster, picture.git
    known = git if isinstance(git, Lineage) else None
    change = known.last_change if known else None
    return {
        "target": audited.target,
        "image": seen.image if isinstance(seen, Workloads) else None,
        "running": running(picture),
        "last_change": change.commit.sha if change else None,
        "behind": len(known.pending) if known and known.deployed else None,
        "unknown": {name: part.why for name, part in parts if isinstance(part, Unknown)},
        "unjudged": sorted(audited.judged.unjudged),
        "unjudged_why": dict(sorted(audited.judged.reasons.items())),
        "findings": len(audited.findings),
    }


def _gone_record(gone: RecordedFinding) -> dict[str, Any]:
    return {**payload(gone.finding), "since": gone.since.isoformat()}


def _print(report: Report) -> None:
    rows = what_runs_where(report)
    if rows:
        print_table(tuple(rows[0]), [tuple(row.values()) for row in rows], whole=True)
    known = report.states
    for each in report.findings:
        click.echo()
        _print_finding(each, known.get(each.fingerprint, ""))
    for gap in report.gaps:
        click.secho(str(gap), fg="yellow")
    if not report.findings:
        click.secho("nothing found", fg=None if report.not_judged else "green")
    for gone in report.gone:
        click.echo(f"gone: {gone.finding.rule} at {gone.finding.target}: {gone.finding.about}")


def _print_finding(finding: Finding, state: str) -> None:
    head = f"{finding.severity.value} {finding.rule} at {finding.target}"
    click.secho(
        f"{head}{f' ({state})' if state else ''}: {finding.about}", fg=COLOURS[finding.severity]
    )
    click.echo(f"  expected  {finding.expected}")
    click.echo(f"  seen      {finding.seen}")
    click.echo(f"  to do     {finding.remedy.sentence}")
    if finding.remedy.command:
        click.echo(f"            {finding.remedy.command}")

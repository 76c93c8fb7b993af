"""The scheduled audit: findings kept and told, so that only what is new needs a person."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import BaseModel, ConfigDict, Field

from blocks.loading import all_connected
from flows.auditing import Report, audit_and_report
from flows.states import refusing
from slipway.domain.finding import Severity

SHOWN = 3
"""Reasons why something was not judged that the run's message tells; its table has all."""


class AuditOptions(BaseModel):
    """What an audit looks at, and what makes its run fail."""

    model_config = ConfigDict(extra="forbid")

    targets: list[str] = Field(
        default_factory=list, description="Their names; all that are registered when left empty."
    )
    every_tag: bool = Field(
        default=False,
        description="Also look up every tag that was ever published, and what nobody needs.",
    )
    fail_on: Severity = Field(
        default=Severity.CRITICAL, description="The severity of a finding that fails the run."
    )


@flow(name="audit", flow_run_name="audit", persist_result=False)
@refusing
async def audit(
    options: AuditOptions = AuditOptions(),  # noqa: B008 - never changed; Prefect's form shows it
) -> State[Any]:
    """See whether what should run runs, and what to do where it does not. Changes nothing.

    Args:
        options: Which targets, how thoroughly, and what fails the run.
    """
    async with all_connected(options.targets) as every:
        report = await audit_and_report(
            every, every_tag=options.every_tag, complete=not options.targets
        )
    return as_prefect_state(report, options.fail_on)


def as_prefect_state(report: Report, fail_on: Severity) -> State[Any]:
    """Failed where a finding is severe enough; the message counts them."""
    targets, unseen = len(report.targets), len(report.not_judged)
    more = f"; {len(report.gone)} gone" if report.gone else ""
    more += f"; {unseen} of {targets} targets could not be judged whole" if unseen else ""
    more += "".join(f"; {each}" for each in report.gaps[:SHOWN])
    more += f"; {len(report.gaps) - SHOWN} more reasons" if len(report.gaps) > SHOWN else ""
    if not report.findings:
        name = "Not judged" if unseen else "Quiet"
        return Completed(name=name, message=f"{targets} targets, nothing found{more}")
    worst = report.findings[0]
    message = f"{len(report.findings)} findings, the worst {worst.rule}: {worst.seen}{more}"
    if report.reaches(fail_on):
        return Failed(name="Findings", message=message)
    return Completed(name="Findings", message=message)

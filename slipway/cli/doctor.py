"""`slipway doctor`: everything a release needs, looked at without changing anything."""

import click

from slipway.cli.output import print_json
from slipway.cli.session import Session
from slipway.domain.release import Options
from slipway.errors import DeploymentUnfit, SlipwayError, StackBusy
from slipway.ports import Ports
from slipway.tasks.preflight import Check, check_all
from slipway.tasks.standing import look_around

NOT_IN_ORDER = 4


@click.command
@click.argument("target")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@click.pass_context
def doctor(ctx: click.Context, target: str, *, as_json: bool) -> None:
    """Check what a release to TARGET needs, and say how to mend what is not in order.

    Exit code 0 when everything is in order, 4 when a deploy would be refused.
    """
    session: Session = ctx.obj
    checks = session.run(examine(session.ports(target)))
    good = all(each.good for each in checks)
    if as_json:
        print_json({"target": target, "good": good, "checks": [_record(each) for each in checks]})
    else:
        _print(target, checks)
    ctx.exit(0 if good else NOT_IN_ORDER)


async def examine(ports: Ports) -> list[Check]:
    """Every check of the preflight, and those that only a person asks for."""
    return [
        *await _with_program(ports),
        Check("one image is pinned, applied and running", await _agreement(ports)),
        Check("no release stands open", await _nothing_open(ports)),
    ]


async def _with_program(ports: Ports) -> list[Check]:
    """The preflight, with the program of the branch's head where git can give it."""
    try:
        await ports.source.fetch()
        head = await ports.source.head(ports.target.branch)
        async with ports.source.checkout(head) as tree:
            return [Check("git answers", None), *await check_all(ports, Options(), tree)]
    except SlipwayError as error:
        return [Check("git answers", error), *await check_all(ports, Options())]


async def _agreement(ports: Ports) -> SlipwayError | None:
    standing = await look_around(ports)
    if standing.agree:
        return None
    name = ports.target.name
    return DeploymentUnfit(
        f"{'; '.join(standing.disagreements)}. slipway status {name} shows every place; pods that "
        f"do not take up what is applied: slipway restart {name}; an older image: "
        f"slipway history {name}, then slipway rollback {name} --to COMMIT --reason …"
    )


async def _nothing_open(ports: Ports) -> SlipwayError | None:
    try:
        unfinished = await ports.ledger.unfinished(str(ports.target.stack))
    except SlipwayError as error:
        return error
    if not unfinished:
        return None
    listed = ", ".join(f"{each.id} at {each.target} ({each.state})" for each in unfinished)
    return StackBusy(
        f"releases of stack {ports.target.stack} without an end: {listed}; if no process works on "
        f"them any more: slipway recover {ports.target.name}"
    )


def _record(check: Check) -> dict[str, object]:
    error = check.error
    return {
        "name": check.name,
        "good": check.good,
        "code": error and error.code,
        "problem": error and str(error),
    }


def _print(target: str, checks: list[Check]) -> None:
    click.secho(target, bold=True)
    for each in checks:
        mark = click.style("ok  ", fg="green") if each.good else click.style("FAIL", fg="red")
        click.echo(f"  {mark}  {each.name}")
        if each.error is not None:
            click.echo(f"        {each.error}")

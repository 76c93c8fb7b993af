"""`slipway restart`: new pods of the same image, proven."""

import click

from flows.restart import restart as restart_pods
from slipway.cli.ends import NEEDS_ATTENTION
from slipway.cli.local_run import progress_on_stderr
from slipway.cli.output import print_json
from slipway.cli.session import Session
from slipway.errors import ImageDisproven, SlipwayError, Unproven
from slipway.ports import Ports

REFUSED = 4


@click.command
@click.argument("target")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@click.pass_context
def restart(ctx: click.Context, target: str, *, as_json: bool) -> None:
    """Replace the pods of TARGET, and prove that the same image runs afterwards.

    For pods that do not take up what is applied: a secret that was renewed, a node that hangs.
    """
    session: Session = ctx.obj
    state, reason, code = session.run(_restart(session.ports(target)))
    if as_json:
        print_json({"target": target, "state": state, "reason": reason})
    else:
        click.echo(f"{state}: restart of {target}\n  {reason}")
    ctx.exit(code)


async def _restart(ports: Ports) -> tuple[str, str, int]:
    with progress_on_stderr():
        try:
            return "live", f"proven: {await restart_pods(ports)}", 0
        except (ImageDisproven, Unproven) as error:
            return "needs attention", f"{error.code}: {error}", NEEDS_ATTENTION
        except SlipwayError as error:
            return "refused", f"{error.code}: {error}", REFUSED

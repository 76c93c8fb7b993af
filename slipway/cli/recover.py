"""`slipway recover`: finish what a dead process left."""

import click

from flows.recover import finish_all
from slipway.cli.ends import end_line, exit_code
from slipway.cli.local_run import progress_on_stderr
from slipway.cli.output import print_json, release_record
from slipway.cli.session import Session
from slipway.domain.release import Release
from slipway.ports import Ports


@click.command
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@click.pass_context
def recover(ctx: click.Context, targets: tuple[str, ...], *, as_json: bool) -> None:
    """Bring every open release of TARGET's stack to an end (of all stacks by default).

    Forward when the new image is proven to run, back to the baseline otherwise. The exit code is
    that of the worst end: 5 when one still needs attention.
    """
    session: Session = ctx.obj
    every = [session.ports(name) for name in targets or session.targets()]
    ended = session.run(_recover(every))
    if as_json:
        print_json([release_record(each) for each in ended])
    else:
        click.echo("\n".join(end_line(each) for each in ended) or "nothing stands open")
    ctx.exit(max((exit_code(each) for each in ended), default=0))


async def _recover(every: list[Ports]) -> list[Release]:
    stacks = {str(ports.target.stack): ports for ports in every}
    with progress_on_stderr():
        return [outcome.release for ports in stacks.values() for outcome in await finish_all(ports)]

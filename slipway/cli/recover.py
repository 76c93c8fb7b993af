"""`slipway recover`: finish what a dead process left."""

from collections.abc import Mapping

import click

from slipway.cli.ends import end_line, exit_code
from slipway.cli.output import log_to_stderr, print_json, release_record
from slipway.cli.session import Session
from slipway.domain.release import Release
from slipway.errors import InvalidInput
from slipway.ports import Ports


@click.command
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@click.option("--watch", is_flag=True, help="Do so whenever something is left, until SIGTERM.")
@click.option("--local", is_flag=True, help="With --watch: recover here, without Prefect.")
@click.option(
    "--dead",
    metavar="RELEASE",
    multiple=True,
    help="A release that waits or builds on a machine that is gone: end it, too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@click.pass_context
def recover(
    ctx: click.Context,
    targets: tuple[str, ...],
    *,
    watch: bool,
    local: bool,
    dead: tuple[str, ...],
    as_json: bool,
) -> None:
    """Bring every open release of TARGET's stack to an end (of all stacks by default).

    Forward when the new image is proven to run, back to the baseline otherwise. The exit code is
    that of the worst end: 5 when one still needs attention.

    A release that has not come to change anything is left alone as long as its process may live,
    which only its own machine can tell: name it with --dead when that machine is gone.

    With --watch the ledger is asked every second for what a dead process left, and a Prefect
    run recovers it. `slipway webhook` does the same by the way.
    """
    session: Session = ctx.obj
    if watch and dead:
        raise click.UsageError("--dead is said once, not with --watch")
    if watch:
        _watch(session, targets, local=local)
        return
    every = [session.ports(name) for name in targets or session.targets()]
    ended = session.run(_recover(every, dead))
    if as_json:
        print_json([release_record(each) for each in ended])
    else:
        click.echo("\n".join(end_line(each) for each in ended) or "nothing stands open")
    ctx.exit(max((exit_code(each) for each in ended), default=0))


async def _recover(every: list[Ports], dead: tuple[str, ...]) -> list[Release]:
    from flows.recover import finish_all  # noqa: PLC0415 - Prefect: 1.5 s
    from slipway.cli.local_run import progress_on_stderr  # noqa: PLC0415 - likewise

    stacks = {str(ports.target.stack): ports for ports in every}
    for release in dead:
        await _require_open(release, stacks)
    with progress_on_stderr():
        return [
            outcome.release
            for ports in stacks.values()
            for outcome in await finish_all(ports, dead)
        ]


async def _require_open(release: str, stacks: Mapping[str, Ports]) -> None:
    """`InvalidInput` unless a release of this id stands open at one of the stacks."""
    standing = [
        each.id for stack, ports in stacks.items() for each in await ports.ledger.unfinished(stack)
    ]
    if release not in standing:
        raise InvalidInput(
            f"no release {release} stands open at {', '.join(stacks)}: name one that does "
            f"({', '.join(standing) or 'there is none now'})"
        )


def _watch(session: Session, names: tuple[str, ...], *, local: bool) -> None:
    from slipway.cli.recover_watch import (  # noqa: PLC0415 - uvicorn, and clients
        watch_by_prefect,
        watch_without_prefect,
    )

    log_to_stderr()
    file = session.file(secrets_of=frozenset())
    targets = [file.target(name).target() for name in names or file.targets]
    session.stay()
    if not local:
        watch_by_prefect(targets)
        return

    def recover_here(target: str) -> None:
        # Its own, with its own connections: they can't move to another event loop.
        from flows.recover import finish_all  # noqa: PLC0415 - Prefect: 1.5 s

        here = session.anew()
        here.run(finish_all(here.ports(target)))

    watch_without_prefect(targets, recover_here)

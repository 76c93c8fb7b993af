"""`slipway history`: what was released at a target, newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

import click

from slipway.cli.output import duration, local, print_json, print_table, release_record
from slipway.cli.restriction_lines import restriction_lines
from slipway.cli.session import Session
from slipway.domain.hold import Hold, Veto
from slipway.domain.release import Release
from slipway.ports import ALL

R = TypeVar("R", Hold, Veto)

NEWEST = 20


@click.command
@click.argument("target")
@click.option(
    "--limit", type=click.IntRange(min=1), help=f"How many; {NEWEST} by default, all with --json."
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@click.pass_obj
def history(session: Session, target: str, limit: int | None, *, as_json: bool) -> None:
    """Show the releases of TARGET, newest first."""
    shown = limit or (ALL if as_json else NEWEST)
    releases, standing = session.run(_read(session, target, shown))
    if as_json:
        print_json([release_record(each) for each in releases])
    elif releases:
        heads = ("started", "kind", "state", "commit", "took", "by", "reason")
        print_table(heads, [_row(each) for each in releases])
        if limit is None and len(releases) == NEWEST:
            click.echo(f"the newest {NEWEST}; --limit shows more", err=True)
    else:
        click.echo(f"the ledger has no release of {target}", err=True)
    if not as_json:
        for line in standing:
            click.echo(line)


async def _read(session: Session, target: str, limit: int) -> tuple[list[Release], list[str]]:
    """The releases, and what stands or stood in automation's way meanwhile."""
    ledger = session.ledger()
    releases = list(await ledger.history(target, limit))
    since = releases[-1].started if len(releases) == limit else None
    holds = _meanwhile(await ledger.holds(target, ever=True), since)
    vetoes = _meanwhile(await ledger.vetoes(target, ever=True), since)
    return releases, list(restriction_lines(holds, vetoes))


def _meanwhile(restrictions: Sequence[R], since: datetime | None) -> list[R]:
    """Those that were not over before the oldest release that is shown."""
    return [
        each
        for each in restrictions
        if since is None or each.lifted is None or each.lifted.at >= since
    ]


def _row(release: Release) -> tuple[str, ...]:
    took = duration(release)
    return (
        local(release.started),
        release.kind.value,
        release.state.value,
        release.commit.short if release.commit else release.request.wanted[:12],
        "" if took is None else f"{took:.0f} s",
        release.request.requested_by,
        release.reason,
    )

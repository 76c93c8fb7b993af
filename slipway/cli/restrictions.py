"""`slipway hold`, `release-hold` and `veto`: what automation must not do at a target."""

import getpass
from collections.abc import Sequence
from datetime import datetime

import click

from slipway.cli.moments import ComingMoment
from slipway.cli.output import print_json
from slipway.cli.restriction_lines import hold_line, hold_record, veto_line, veto_record
from slipway.cli.session import Session
from slipway.domain.candidate import present
from slipway.domain.hold import Hold, NewHold, NewVeto, Veto
from slipway.errors import InvalidInput
from slipway.ports import Ledger, Ports


@click.command
@click.argument("target")
@click.option("--reason", required=True, help="Why, for those who wonder.")
@click.option("--until", type=ComingMoment(), help="When it ends by itself: a time, or 8h, or 3d.")
@click.option("--json", "as_json", is_flag=True, help="Print the hold as an object.")
@click.pass_obj
def hold(
    session: Session, /, target: str, *, reason: str, until: datetime | None, as_json: bool
) -> None:
    """Pause automation at TARGET: it publishes images, and deploys none of them.

    Persons may still deploy. It ends by `slipway release-hold`, at its end, or when a person's
    deploy of a newer commit is live.
    """
    _require_known(session, target)
    placed = session.run(_hold(session.ledger(), target, reason, until))
    if as_json:
        print_json(hold_record(placed))
    else:
        click.echo(f"automation is paused at {target}: {hold_line(placed)}")


async def _hold(ledger: Ledger, target: str, reason: str, until: datetime | None) -> Hold:
    live = present(await ledger.history(target))
    about = live.commit if live else None
    placed = await ledger.place_hold(target, NewHold(reason, getpass.getuser(), until, about))
    if placed.until is not None and placed.until <= placed.since:
        over, began = (each.isoformat(timespec="seconds") for each in (placed.until, placed.since))
        raise InvalidInput(
            f"the hold of {target} until {over} was over when it began, at {began} by the ledger's "
            "clock: set this machine's clock, or give a later end"
        )
    return placed


@click.command("release-hold")
@click.argument("target")
@click.option("--reason", required=True, help="Why, for those who read the ledger.")
@click.option("--number", type=int, metavar="N", help="End only this one of its holds.")
@click.option("--json", "as_json", is_flag=True, help="Print what was lifted as a list.")
@click.pass_obj
def release_hold(
    session: Session, /, target: str, *, reason: str, number: int | None, as_json: bool
) -> None:
    """End every hold of TARGET: automation deploys the next commit that it is given.

    With --number it may be paused still, by another one.
    """
    _require_known(session, target)
    lifted = session.run(_release_hold(session.ledger(), target, reason, number))
    if as_json:
        print_json([hold_record(each) for each in lifted])
        return
    for each in lifted:
        click.echo(f"no longer {hold_line(each)}")
    if not lifted:
        click.echo(f"automation was not paused at {target}")


async def _release_hold(
    ledger: Ledger, target: str, reason: str, number: int | None
) -> Sequence[Hold]:
    standing = await ledger.holds(target)
    meant = [each for each in standing if number in {None, each.number}]
    if number is not None and not meant:
        numbers = ", ".join(f"hold {each.number}" for each in standing) or "none"
        raise InvalidInput(
            f"hold {number} does not stand at {target} (of its holds, {numbers} does): give the "
            "number of one that stands, or no --number for all"
        )
    for each in meant:
        await ledger.lift_hold(each.number, getpass.getuser(), reason)
    return meant


@click.command
@click.argument("target")
@click.argument("commit")
@click.option("--reason", required=True, help="Why, for those who wonder.")
@click.option("--lift", is_flag=True, help="End the veto instead.")
@click.option("--json", "as_json", is_flag=True, help="Print the veto as an object, or null.")
@click.pass_obj
def veto(
    session: Session, /, target: str, commit: str, *, reason: str, lift: bool, as_json: bool
) -> None:
    """Forbid automation to deploy COMMIT to TARGET, and `previous` to go back to it.

    A release whose image was measured bad does the same. A person may deploy it all the same:
    `slipway deploy --even-if-vetoed REASON`.
    """
    work = _lift if lift else _veto
    found = session.run(work(session.ports(target), commit, reason))
    if as_json:
        print_json(found and veto_record(found))
    elif found is None:
        click.echo(f"no veto of {commit} stands at {target}")
    else:
        click.echo(f"{'no longer ' if lift else ''}{veto_line(found)}")


async def _veto(ports: Ports, wanted: str, reason: str) -> Veto:
    from slipway.tasks.commits import resolve_commit  # noqa: PLC0415 - only vetoes need it

    commit = await resolve_commit(ports.source, wanted)
    new = NewVeto(commit, reason, getpass.getuser())
    return await ports.ledger.place_veto(ports.target.name, new)


async def _lift(ports: Ports, wanted: str, reason: str) -> Veto | None:
    fitting = [
        each
        for each in await ports.ledger.vetoes(ports.target.name)
        if wanted and each.commit.sha.startswith(wanted)
    ]
    if len(fitting) > 1:
        shown = ", ".join(each.commit.sha for each in fitting)
        raise InvalidInput(f"{wanted} fits several vetoed commits ({shown}): give more characters")
    for each in fitting:
        await ports.ledger.lift_veto(each.number, getpass.getuser(), reason)
    return next(iter(fitting), None)


def _require_known(session: Session, target: str) -> None:
    """A hold at a name that nothing is deployed to would pause nothing."""
    targets = session.targets()
    if target not in targets:
        raise InvalidInput(
            f"slipway.toml has no target {target!r}: name one of {', '.join(targets)}"
        )

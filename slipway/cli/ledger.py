"""`slipway ledger`: prove that it is as it was written, take it out, let a stack belong to it."""

import getpass
import json
from typing import Any

import click

from slipway.cli.output import print_json
from slipway.cli.session import Session
from slipway.domain.journal import Anchor, Flaw, Head
from slipway.domain.takeover import Takeover
from slipway.errors import InvalidInput
from slipway.tasks.ownership import adopt_stack
from slipway.tasks.witnesses import all_flaws, witnesses

NOT_IN_ORDER = 5


class WitnessType(click.ParamType[Anchor]):
    """`RELEASE:ENTRIES:HASH`, as a run's report prints release and journal."""

    name = "RELEASE:ENTRIES:HASH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Anchor:
        """Read the text, or say what is wrong with it."""
        release, _, head = str(value).partition(":")
        try:
            return Anchor(release, Head.parse(head), "the head you gave")
        except ValueError:
            self.fail(f"{value!r} is not a release and its journal's head", param, ctx)


@click.group
def ledger() -> None:
    """Look after the ledger as a whole."""


@ledger.command
@click.option("--offline", is_flag=True, help="Ask no stack where the journals stood.")
@click.option(
    "--head",
    "heads",
    type=WitnessType(),
    multiple=True,
    help="Where a journal stood by a run's report; may be given again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@click.pass_context
def verify(
    ctx: click.Context, /, *, offline: bool, heads: tuple[Anchor, ...], as_json: bool
) -> None:
    """Prove that every journal is as it was written.

    Finds an entry that was changed, removed, moved or cut off, and a release whose row says
    something else than its journal. The histories of the stacks in slipway.toml are the witnesses
    of whoever has rewritten all of it. Exit code 0 when all is in order, 5 when not.
    """
    session: Session = ctx.obj
    read, found = session.run(_verify(session, list(heads), offline=offline))
    if as_json:
        flaws = [{"release": each.release, "what": each.what} for each in found]
        print_json({"journals": read, "good": not found, "flaws": flaws})
    else:
        click.echo("\n".join(map(str, found)) or f"{read} journals are as they were written")
    ctx.exit(NOT_IN_ORDER if found else 0)


async def _verify(
    session: Session, heads: list[Anchor], *, offline: bool
) -> tuple[int, list[Flaw]]:
    if not offline:
        every = [session.ports(name) for name in session.targets()]
        for ports in {str(each.target.stack): each for each in every}.values():
            heads += await witnesses(ports)
    return await all_flaws(session.ledger(), heads)


@ledger.command
@click.pass_obj
def export(session: Session) -> None:
    """Print every row of the ledger as a line of JSON: its table, and its columns.

    Secrets are not in it: the ledger holds none.
    """
    session.run(_export(session))


async def _export(session: Session) -> None:
    await session.sql_ledger().export(_print_line)


def _print_line(record: dict[str, Any]) -> None:
    click.echo(json.dumps(record, ensure_ascii=False))


@ledger.command
@click.argument("stack", metavar="ORGANIZATION/PROJECT/STACK")
@click.option("--reason", required=True, help="Why, for those who read the ledger.")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@click.pass_obj
def adopt(session: Session, stack: str, *, reason: str, as_json: bool) -> None:
    """Let STACK belong to this ledger, although it names another one.

    Only where that ledger is gone for good: what it knew of the stack's releases is not known
    here, so look at the target with `slipway status` first.
    """
    taken = session.run(_adopt(session, stack, reason))
    if as_json:
        instead_of = (taken and taken.instead_of) or None
        print_json({"stack": stack, "taken": taken is not None, "instead_of": instead_of})
        return
    if taken is None:
        click.echo(f"stack {stack} belongs to this ledger already")
        return
    before = f"ledger {taken.instead_of}" if taken.instead_of else "no ledger"
    click.echo(f"stack {stack} belongs to this ledger now; it named {before} before")


async def _adopt(session: Session, stack: str, reason: str) -> Takeover | None:
    every = [session.ports(name) for name in session.targets()]
    there = next((each for each in every if str(each.target.stack) == stack), None)
    if there is None:
        known = ", ".join(sorted({str(each.target.stack) for each in every}))
        raise InvalidInput(f"no target of slipway.toml is in stack {stack!r}: name one of {known}")
    return await adopt_stack(there, getpass.getuser(), reason)

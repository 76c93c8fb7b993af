"""`slipway prune`: which images nobody needs any more; deletes exactly a plan that was shown."""

from datetime import timedelta
from typing import Any

import click

from flows.pruning import Pruned, apply, by_repository, plan
from slipway.cli.ends import NEEDS_ATTENTION
from slipway.cli.local_run import progress_on_stderr
from slipway.cli.output import print_json, print_table
from slipway.cli.session import Session
from slipway.domain.release import reason
from slipway.domain.retention import Plan, Policy
from slipway.errors import InvalidInput
from slipway.ports import Ports
from slipway.tasks.prune_report import plan_rows, what_was_done


@click.command
@click.argument("repository", required=False)
@click.option(
    "--keep-live",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Images of each target that are kept, of its newest live releases.",
)
@click.option(
    "--younger-than",
    "days",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="Days; what is younger is kept, whatever it is.",
)
@click.option("--apply", "wanted", metavar="HASH", default="", help="Delete exactly this plan.")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@click.pass_context
def prune(
    ctx: click.Context,
    repository: str | None,
    *,
    keep_live: int,
    days: int,
    wanted: str,
    as_json: bool,
) -> None:
    """Show which images of REPOSITORY nobody needs any more, with the plan's hash.

    REPOSITORY may be left out where all targets have one. Nothing is deleted without --apply, which
    makes the plan again, and deletes it only if it is the same.
    """
    session: Session = ctx.obj
    every = [session.ports(name) for name in session.targets()]
    mine = _choose(every, repository)
    pruned = session.run(_prune(mine, Policy(keep_live, timedelta(days=days)), wanted))
    if as_json:
        print_json(plan_record(pruned, applied=bool(wanted)))
    else:
        _print(pruned, applied=bool(wanted))
    if pruned.stopped is not None:
        until = f"{len(pruned.deleted)} manifests were deleted until then"
        click.echo(f"slipway: {pruned.stopped}; {until}, and a new plan finds the rest", err=True)
        ctx.exit(NEEDS_ATTENTION)


def _print(pruned: Pruned, *, applied: bool) -> None:
    rows = plan_rows(pruned.plan, pruned.restored_by, pruned.refused)
    print_table(("image", "tags", "", "why"), [tuple(row.values()) for row in rows])
    if applied:
        done = what_was_done(len(pruned.deleted), len(pruned.refused))
        click.echo(f"plan {pruned.plan.hash} applied: {done}")
    else:
        _print_next(pruned.plan)


async def _prune(mine: list[Ports], policy: Policy, wanted: str) -> Pruned:
    with progress_on_stderr():
        if wanted:
            return await apply(mine, policy, wanted)
        return Pruned(await plan(mine, policy))


def _choose(every: list[Ports], repository: str | None) -> list[Ports]:
    known = by_repository(every)
    if repository is None and len(known) == 1:
        return list(*known.values())
    if repository is None or repository not in known:
        raise InvalidInput(
            f"{repository or 'no repository'} was given, and the targets have "
            f"{', '.join(known) or 'none'}: give one of them"
        )
    return list(known[repository])


def plan_record(pruned: Pruned, *, applied: bool) -> dict[str, Any]:
    """A plan for scripts. The keys are a contract: docs/command-line.md."""
    made = pruned.plan
    return {
        "repository": made.repository,
        "plan": made.hash,
        "applied": applied,
        "deleted": [str(each) for each in pruned.deleted],
        "refused": {str(digest): why for digest, why in pruned.refused.items()},
        "stopped": pruned.stopped and reason(pruned.stopped),
        "restored_by": {str(digest): mark for digest, mark in pruned.restored_by.items()},
        "bytes": made.bytes,
        "left_for_later": made.left_for_later,
        "deletions": [
            {
                "digest": str(each.digest),
                "tags": list(each.tags),
                "parts": [str(part) for part in each.parts],
                "bytes": each.bytes,
                "refused": each.refused or None,
            }
            for each in made.deletions
        ],
        "kept": {str(digest): why for digest, why in sorted(made.kept.items())},
    }


def _print_next(made: Plan) -> None:
    if not made.deletions:
        click.echo("nothing may go")
        return
    later = f", {made.left_for_later} more in a later plan" if made.left_for_later else ""
    click.echo(
        f"{len(made.deletions)} images may go{later}; the same options with --apply {made.hash} "
        "delete exactly them"
    )

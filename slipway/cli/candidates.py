"""`slipway candidates`: what a target could go back to, newest first."""

from datetime import UTC, datetime
from typing import Any

import click

from slipway.cli.output import local, print_json, print_table
from slipway.cli.session import Session
from slipway.domain.candidate import Candidate
from slipway.tasks.candidate_report import candidate_row, said_of_all
from slipway.tasks.candidates import NEWEST, Candidates, list_candidates


@click.command
@click.argument("target")
@click.option("--limit", type=click.IntRange(min=1), default=NEWEST, show_default=True)
@click.option("--no-preview", is_flag=True, help="Leave out the preview, which takes seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@click.pass_obj
def candidates(
    session: Session, target: str, limit: int, *, no_preview: bool, as_json: bool
) -> None:
    """List the commits with an image that TARGET could go back to, newest first.

    Each with its state here, and whether a rollback to it would be accepted now, by the very
    decisions that the rollback makes before its first change, on this machine; one preview shows
    what else it would change. The arrow marks where a rollback without --to goes.
    """
    found = session.run(list_candidates(session.ports(target), limit, preview=not no_preview))
    if as_json:
        print_json(candidates_record(target, found))
    else:
        _print(target, found)


def candidates_record(target: str, found: Candidates) -> dict[str, Any]:
    """The list for scripts. The keys are a contract: docs/command-line.md."""
    default = next((each.commit.sha for each in found.listed if each.is_default), None)
    return {
        "target": target,
        "default": default,
        "no_default": found.no_default or None,
        "left_out": found.left_out,
        "not_now": found.outlook.refusal or None,
        "waits_for": found.outlook.waits_for or None,
        "previewed": found.outlook.previewed and found.outlook.previewed.sha,
        "candidates": [_record(each) for each in found.listed],
    }


def _record(candidate: Candidate) -> dict[str, Any]:
    info = candidate.info
    return {
        "commit": candidate.commit.sha,
        "subject": info and info.subject,
        "committed_at": info and info.committed_at,
        "behind": candidate.behind,
        "digest": str(candidate.digest) if candidate.digest else None,
        "states": list(candidate.states),
        "live_until": candidate.last_live.isoformat() if candidate.last_live else None,
        "default": candidate.is_default,
        "allowed": candidate.allowed,
        "refusal": candidate.refusal or candidate.not_now or None,
    }


def _print(target: str, found: Candidates) -> None:
    if not found.listed:
        click.echo(f"no commit of {target} has an image", err=True)
        return
    heads = ("", "commit", "age", "state", "subject", "rollback")
    rows = [candidate_row(each, datetime.now(UTC), local) for each in found.listed]
    print_table(heads, [tuple(each.values()) for each in rows], whole=True)
    for said in said_of_all(target, found):
        click.echo(said)

"""How a release's end is told: a line for people, a record for scripts, an exit code for shells."""

from typing import TYPE_CHECKING, NoReturn

import click

from slipway.cli.output import duration, print_json, release_record, state_text
from slipway.domain.release import Outcome, Release, State

if TYPE_CHECKING:
    from slipway.cli.prefect_run import RunEnd

EXIT_CODES = {State.LIVE: 0, State.RESTORED: 3, State.REFUSED: 4}
NEEDS_ATTENTION = 5
GOOD_REFUSALS = frozenset({"superseded", "unchanged"})
"""Nothing was done because nothing had to be."""
RUN_STATES = {
    "Live": State.LIVE,
    "Unchanged": State.LIVE,
    "Superseded": State.LIVE,
    "Restored": State.RESTORED,
    "Refused": State.REFUSED,
    "Held": State.REFUSED,
}
"""The name of a Prefect run's state → the release's; any other needs attention."""


def exit_code(release: Release) -> int:
    """0 live, 3 restored, 4 refused, 5 needs attention, or no end at all."""
    if release.state is State.REFUSED and Outcome(release).code in GOOD_REFUSALS:
        return 0
    return EXIT_CODES.get(release.state, NEEDS_ATTENTION)


def tell_end(ctx: click.Context, release: Release, *, as_json: bool) -> NoReturn:
    """Print how a release ended, and end with its exit code."""
    if as_json:
        print_json(release_record(release))
    else:
        click.echo(end_line(release))
    ctx.exit(exit_code(release))


def tell_run_end(ctx: click.Context, target: str, end: "RunEnd", *, as_json: bool) -> NoReturn:
    """Tell a run's end by Prefect's word alone, where our ledger does not tell it."""
    click.echo(f"slipway: {end.untold}", err=True)
    state = RUN_STATES.get(end.name, State.NEEDS_ATTENTION)
    if as_json:
        run = {"target": target, "state": state.value, "reason": end.message}
        print_json({"id": None, **run, "prefect_run": str(end.run)})
    else:
        click.echo(f"{state_text(state)}: run {end.run} at {target}\n  {end.message}")
    ctx.exit(EXIT_CODES.get(state, NEEDS_ATTENTION))


def tell_refusal(ctx: click.Context, target: str, reason: str, *, as_json: bool) -> NoReturn:
    """Tell that no release was started at all."""
    if as_json:
        refused = {"target": target, "state": State.REFUSED.value, "reason": reason}
        print_json({"id": None, **refused, "prefect_run": None})
    else:
        click.echo(f"{state_text(State.REFUSED)}: {target}\n  {reason}")
    ctx.exit(EXIT_CODES[State.REFUSED])


def end_line(release: Release) -> str:
    """One line: state, what and where, how long; below it why, and what was seen beside it."""
    what = release.commit.short if release.commit else release.request.wanted
    took = duration(release)
    after = "" if took is None else f" after {took:.0f} s"
    line = f"{state_text(release.state)}: {release.kind} {what} at {release.target}{after}"
    reason = "".join(f"\n  {each}" for each in (release.reason, *release.notes) if each)
    remedy = f"\n  look: slipway status {release.target}; slipway recover {release.target}"
    return f"{line}{reason}{remedy if exit_code(release) == NEEDS_ATTENTION else ''}"

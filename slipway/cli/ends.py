"""How a release's end is told: a line for people, a record for scripts, an exit code for shells."""

import click

from slipway.cli.output import duration, print_json, release_record, state_text
from slipway.domain.release import Outcome, Release, State

EXIT_CODES = {State.LIVE: 0, State.RESTORED: 3, State.REFUSED: 4}
NEEDS_ATTENTION = 5
GOOD_REFUSALS = frozenset({"superseded", "unchanged"})
"""Nothing was done because nothing had to be."""


def exit_code(release: Release) -> int:
    """0 live, 3 restored, 4 refused, 5 needs attention, or no end at all."""
    if release.state is State.REFUSED and Outcome(release).code in GOOD_REFUSALS:
        return 0
    return EXIT_CODES.get(release.state, NEEDS_ATTENTION)


def tell_end(ctx: click.Context, release: Release, *, as_json: bool) -> None:
    """Print how a release ended, and end with its exit code."""
    if as_json:
        print_json(release_record(release))
    else:
        click.echo(end_line(release))
    ctx.exit(exit_code(release))


def end_line(release: Release) -> str:
    """One line: state, what and where, how long, why."""
    what = release.commit.short if release.commit else release.request.wanted
    took = duration(release)
    after = "" if took is None else f" after {took:.0f} s"
    line = f"{state_text(release.state)}: {release.kind} {what} at {release.target}{after}"
    reason = f"\n  {release.reason}" if release.reason else ""
    remedy = f"\n  look: slipway status {release.target}; slipway recover {release.target}"
    return f"{line}{reason}{remedy if exit_code(release) == NEEDS_ATTENTION else ''}"

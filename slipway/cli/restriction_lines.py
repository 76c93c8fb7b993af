"""Holds and vetoes for people and scripts."""

from collections.abc import Iterator, Sequence
from typing import Any

from slipway.cli.output import local
from slipway.domain.hold import Hold, Veto


def hold_line(hold: Hold) -> str:
    """A hold in one line."""
    until = f", until {local(hold.until)}" if hold.until else ""
    left = f", of release {hold.release}" if hold.release else ""
    since = f"held since {local(hold.since)} by {hold.by} (hold {hold.number}{left}){until}"
    return f"{since}: {hold.reason}{_end(hold)}"


def veto_line(veto: Veto) -> str:
    """A veto in one line."""
    left = f" (release {veto.release})" if veto.release else ""
    since = f"{veto.commit.short} vetoed since {local(veto.since)} by {veto.by}{left}"
    return f"{since}: {veto.reason}{_end(veto)}"


def _end(restriction: Hold | Veto) -> str:
    over = restriction.lifted
    return f"; ended {local(over.at)} by {over.by}: {over.why}" if over else ""


def restriction_lines(holds: Sequence[Hold], vetoes: Sequence[Veto]) -> Iterator[str]:
    """Everything that stands in automation's way, a line each."""
    yield from map(hold_line, holds)
    yield from map(veto_line, vetoes)


def hold_record(hold: Hold) -> dict[str, Any]:
    """A hold for scripts. The keys are a contract: docs/command-line.md."""
    return {
        "number": hold.number,
        "target": hold.target,
        "reason": hold.reason,
        "by": hold.by,
        "since": hold.since.isoformat(),
        "until": hold.until.isoformat() if hold.until else None,
        "about": hold.about.sha if hold.about else None,
        "release": hold.release or None,
    }


def veto_record(veto: Veto) -> dict[str, Any]:
    """A veto for scripts, likewise."""
    return {
        "target": veto.target,
        "commit": veto.commit.sha,
        "reason": veto.reason,
        "by": veto.by,
        "since": veto.since.isoformat(),
        "release": veto.release or None,
    }

"""What people and scripts read: aligned lines, JSON, one record of a release for both."""

import json
import logging
import shutil
import sys
import textwrap
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from slipway.domain.release import Release, State
from slipway.domain.shown import one_line

COLOURS = {
    State.LIVE: "green",
    State.RESTORED: "yellow",
    State.REFUSED: "yellow",
    State.NEEDS_ATTENTION: "red",
}
GAP = "  "
NARROWEST = 24
"""Characters that a last column needs at least, to go on beside the others."""


def print_json(value: object) -> None:
    """Print a JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, whole: bool = False
) -> None:
    """Print columns as wide as they need to be; a pipe gets each row in one line.

    A terminal that is too narrow cuts rows; where people need them `whole`, the last column goes on
    below.
    """
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads) - 1)]
    click.secho(_line(heads, widths), bold=True)
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for row in rows:
        line = _line(row, widths)
        if room is None or len(line) <= room:
            click.echo(line)
        else:
            click.echo(_wrapped(row, widths, room) if whole else f"{line[: room - 1]}…")


class OneLine(logging.Formatter):
    """Each message in one line, whatever was sent to us; a defect's traceback keeps its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line of a record, without its traceback."""
        record.message = one_line(record.message)
        return super().formatMessage(record)


def log_to_stderr() -> None:
    """Log what a process does that serves until it is asked to end."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)


def state_text(state: State) -> str:
    """A state in its colour, where colours can be seen."""
    return click.style(state.value, fg=COLOURS.get(state, "cyan"))


def local(moment: datetime) -> str:
    """A moment by the reader's own clock."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def release_record(release: Release) -> dict[str, Any]:
    """A release for scripts. The keys are a contract: docs/command-line.md."""
    return {
        "id": release.id,
        "target": release.target,
        "kind": release.kind.value,
        "state": release.state.value,
        "phase": release.phase.value,
        "commit": _text(release.commit),
        "digest": _text(release.digest),
        "image": release.image or None,
        "reason": release.reason,
        "why": release.request.why,
        "requested_by": release.request.requested_by,
        "automatic": release.request.automatic,
        "started": release.started.isoformat(),
        "ended": release.ended.isoformat() if release.ended else None,
        "duration_seconds": duration(release),
        "prefect_run": release.request.prefect_run or None,
        "previous_digest": _text(release.previous_digest),
        "esc_revision": release.esc_revision,
        "update_version": release.update_version,
        "unproven": release.unproven,
        "journal": str(release.journal),
        "notes": list(release.notes),
    }


def duration(release: Release) -> float | None:
    """Seconds from the request to the end, None while there is none."""
    if release.ended is None:
        return None
    return round((release.ended - release.started).total_seconds(), 3)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _wrapped(row: Sequence[str], widths: Sequence[int], room: int) -> str:
    *columns, last = row
    left = sum(widths) + len(GAP) * len(widths)
    beside = room - left >= NARROWEST
    indent = " " * (left if beside else len(GAP) * 2)
    wrapped = textwrap.wrap(last, room, initial_indent=indent, subsequent_indent=indent)
    head = _line([*columns, ""], widths)
    below = wrapped[1:] if beside else wrapped
    return "\n".join([head.ljust(left) + wrapped[0].lstrip() if beside else head, *below])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    *columns, last = row
    padded = [text.ljust(width) for text, width in zip(columns, widths, strict=True)]
    return GAP.join([*padded, last]).rstrip()

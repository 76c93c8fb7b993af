"""A release as a row, and a row as a release."""

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from slipway.domain.commit import Commit
from slipway.domain.hold import Lift, NewHold, NewVeto, Restriction
from slipway.domain.image import Digest
from slipway.domain.journal import EntryKind, Head, Note
from slipway.domain.process import ProcessIdentity
from slipway.domain.release import Baseline, Kind, Options, Phase, Release, Request, State

Row = RowMapping | Mapping[str, Any]

UNTOLD = frozenset({"number", "journal_length", "journal_head", "now"})
"""What a row has beside the release itself: a journal does not tell it."""


@functools.cache
def _as_json(kind: Any) -> TypeAdapter[Any]:
    """How a value of the domain is written as JSON; made when first needed: it takes a while."""
    return TypeAdapter(kind)


def moment(seconds: float) -> datetime:
    """The database's time for people."""
    return datetime.fromtimestamp(seconds, UTC)


def told(row: Row) -> dict[str, Any]:
    """What a journal tells of a row."""
    return {str(name): value for name, value in row.items() if name not in UNTOLD}


def request_columns(request: Request) -> dict[str, Any]:
    """What was asked for: never changes once a release is open."""
    return {
        "kind": request.kind.value,
        "wanted": request.wanted,
        "requested_by": request.requested_by,
        "why": request.why,
        "automatic": request.automatic,
        "prefect_run": request.prefect_run,
        "options": _as_json(Options).dump_python(request.options, mode="json"),
    }


def progress_columns(release: Release) -> dict[str, Any]:
    """What becomes of it; the database's clock adds `started` and `ended`."""
    return {
        "state": release.state.value,
        "phase": release.phase.value,
        "reason": release.reason,
        "unproven": release.unproven,
        "notes": list(release.notes),
        "fence": release.fence,
        "commit_sha": _text(release.commit),
        "digest": _text(release.digest),
        "image": release.image,
        "accepted": sorted(str(each) for each in release.accepted),
        "program_sha": _text(release.program),
        "baseline": _in_order(_dumped(Baseline, release.baseline)),
        "esc_revision": release.esc_revision,
        "update_version": release.update_version,
        "previous_digest": _text(release.previous_digest),
        "worker": process_column(release.worker),
        "engine": process_column(release.engine),
    }


def release_from(row: Row) -> Release:
    """Read a release back; an image that is live has been so since the release ended."""
    state = State(row["state"])
    ended = None if row["ended"] is None else moment(row["ended"])
    return Release(
        id=row["id"],
        target=row["target"],
        stack=row["stack"],
        request=_request_from(row),
        started=moment(row["started"]),
        state=state,
        phase=Phase(row["phase"]),
        reason=row["reason"],
        commit=row["commit_sha"] and Commit(row["commit_sha"]),
        digest=row["digest"] and Digest(row["digest"]),
        image=row["image"],
        accepted=frozenset(Digest(each) for each in row["accepted"]),
        program=row["program_sha"] and Commit(row["program_sha"]),
        baseline=_loaded(Baseline, row["baseline"]),
        esc_revision=row["esc_revision"],
        update_version=row["update_version"],
        previous_digest=row["previous_digest"] and Digest(row["previous_digest"]),
        fence=row["fence"],
        ended=ended,
        live_since=ended if state is State.LIVE else None,
        unproven=row["unproven"],
        notes=tuple(row["notes"]),
        worker=process_in(row["worker"]),
        engine=process_in(row["engine"]),
        journal=Head(row["journal_length"], row["journal_head"]),
    )


def process_column(process: ProcessIdentity | None) -> Any:
    """A process as a column has it."""
    return _dumped(ProcessIdentity, process)


def process_in(column: Any) -> ProcessIdentity | None:
    """Read a process back."""
    found: ProcessIdentity | None = _loaded(ProcessIdentity, column)
    return found


def _request_from(row: Row) -> Request:
    return Request(
        kind=Kind(row["kind"]),
        wanted=row["wanted"],
        requested_by=row["requested_by"],
        why=row["why"],
        options=_as_json(Options).validate_python(row["options"]),
        automatic=row["automatic"],
        prefect_run=row["prefect_run"],
    )


def _text(value: Commit | Digest | None) -> str | None:
    return None if value is None else str(value)


def _dumped(kind: Any, value: object) -> Any:
    return None if value is None else _as_json(kind).dump_python(value, mode="json")


def _in_order(baseline: Any) -> Any:
    """A set has no order of its own, and a row that only looks changed would be journaled."""
    if baseline is not None:
        baseline["accepted"] = sorted(baseline["accepted"], key=str)
    return baseline


def _loaded(kind: Any, value: object) -> Any:
    return None if value is None else _as_json(kind).validate_python(value)


def content_of(entry: Note | Restriction) -> tuple[EntryKind, dict[str, Any]]:
    """What is saved beside a release, as its journal tells it."""
    match entry:
        case NewHold():
            until = entry.until.isoformat() if entry.until else None
            about = _text(entry.about)
            told_of = {"reason": entry.reason, "by": entry.by, "until": until, "about": about}
            return EntryKind.HOLD, told_of
        case NewVeto():
            told_of = {"commit": str(entry.commit), "reason": entry.reason, "by": entry.by}
            return EntryKind.VETO, told_of
        case Lift():
            lifted = {"step": "lift hold", "hold": entry.number, "by": entry.by, "why": entry.why}
            return EntryKind.OBSERVATION, lifted
        case Note():
            return entry.kind, entry.content

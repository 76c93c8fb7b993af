"""A release as a row, and a row as a release."""

import functools
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import RowMapping

from slipway.domain.commit import Commit
from slipway.domain.image import Digest
from slipway.domain.release import Baseline, Kind, Options, Phase, Release, Request, State

T = TypeVar("T", Options, Baseline)


@functools.cache
def _as_json(kind: type[T]) -> TypeAdapter[T]:
    """How a value of the domain is written as JSON; made when first needed: it takes a while."""
    return TypeAdapter(kind)


def moment(seconds: float) -> datetime:
    """The database's time for people."""
    return datetime.fromtimestamp(seconds, UTC)


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
    baseline = release.baseline
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
        "baseline": baseline and _as_json(Baseline).dump_python(baseline, mode="json"),
        "esc_revision": release.esc_revision,
        "update_version": release.update_version,
        "previous_digest": _text(release.previous_digest),
    }


def release_from(row: RowMapping) -> Release:
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
        baseline=row["baseline"] and _as_json(Baseline).validate_python(row["baseline"]),
        esc_revision=row["esc_revision"],
        update_version=row["update_version"],
        previous_digest=row["previous_digest"] and Digest(row["previous_digest"]),
        fence=row["fence"],
        ended=ended,
        live_since=ended if state is State.LIVE else None,
        unproven=row["unproven"],
        notes=tuple(row["notes"]),
    )


def _request_from(row: RowMapping) -> Request:
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

"""What the ledger's history says of how well releasing goes, in the words of DORA's four keys.

A deploy counts where it reached production: it went live, or its update had begun when it failed.
It failed where it was restored or needs attention, or where a rollback left it
(dora.dev/guides/dora-metrics-four-keys). What a full drill does is no change.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from slipway.domain.candidate import proven_live
from slipway.domain.commit import Commit
from slipway.domain.release import Kind, Phase, Release, State, code_of

DAY = 86400.0
DRILL = "slipway drill"
"""Who asks for the releases of a full drill; no measure counts them."""
UNCHANGED = "unchanged"
"""The reason of a deploy that found everything as it was asked for: no change of production."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Durations, in seconds; the figures are None where there are none."""

    count: int
    median: float | None = None
    p90: float | None = None
    longest: float | None = None


@dataclass(frozen=True, slots=True)
class RolledBack:
    """One rollback that went live."""

    target: str
    at: datetime
    to: Commit | None
    why: str
    by: str


@dataclass(frozen=True, slots=True)
class Measures:
    """What happened at some targets in a span of time."""

    since: datetime
    until: datetime
    deploys: int
    """Deploys that went live."""
    per_day: float
    lead_time: Spread
    """From each commit that changed the service to when a deploy first proved it live."""
    changed: int
    """Deploys that reached production: live, or failed after their update had begun."""
    failed: int
    """Those of them that were restored or need attention, or that a rollback left."""
    recovery: Spread
    """From when a failed deploy began to change production to when an image was proven again.

    By its own restore, or by whatever went live next.
    """
    rollbacks: Sequence[RolledBack]

    @property
    def failure_rate(self) -> float | None:
        """The part of changes that failed; None where nothing changed."""
        return self.failed / self.changed if self.changed else None


@dataclass(frozen=True, slots=True)
class Times:
    """What a release's row does not hold: its commits, and when each thing happened."""

    committed: Mapping[Commit, datetime]
    reached: Mapping[str, datetime]
    """Release id → when its update began; its start where that is not known."""
    brought: Mapping[str, Sequence[Commit]] = field(default_factory=dict)
    """Release id → the commits that it brought to production; its own where that is not known."""


def measure(
    histories: Iterable[Sequence[Release]], times: Times, since: datetime, until: datetime
) -> Measures:
    """The measures of some targets' histories, each as the ledger gives it."""
    live, changed, failed = 0, 0, 0
    lead: list[timedelta] = []
    recovery: list[timedelta] = []
    rollbacks: list[RolledBack] = []
    for whole in histories:
        history = [each for each in whole if each.request.requested_by != DRILL]
        first = _first_live(history)
        deploys = [
            each
            for each in history
            if each.kind is Kind.DEPLOY and code_of(each.reason) != UNCHANGED
        ]
        left = _left_by_rollbacks(history)
        for each in deploys:
            at = each.live_since or _failed_at(each)
            if at is None or not since <= at <= until:
                continue
            changed += 1
            if each.live_since is not None:
                live += 1
                lead += _lead_time(each, times) if first.get(each.commit) == each.id else []
            failed += each.live_since is None or each.id in left
            recovered = (
                left.get(each.id) if each.live_since is not None else _recovered_at(each, history)
            )
            if recovered is not None:
                recovery.append(recovered - times.reached.get(each.id, each.started))
        rollbacks += [each for each in _rollbacks(history) if since <= each.at <= until]
    days = max((until - since).total_seconds() / DAY, 1e-9)
    return Measures(
        since,
        until,
        live,
        live / days,
        spread(lead),
        changed,
        failed,
        spread(recovery),
        sorted(rollbacks, key=lambda each: each.at, reverse=True),
    )


def spread(durations: Iterable[timedelta]) -> Spread:
    """Median, nine of ten, and longest, each one that really occurred."""
    found = sorted(each.total_seconds() for each in durations)
    if not found:
        return Spread(0)

    def at(part: float) -> float:
        return found[max(math.ceil(part * len(found)) - 1, 0)]

    return Spread(len(found), at(0.5), at(0.9), found[-1])


def _failed_at(release: Release) -> datetime | None:
    """When a deploy failed that had begun to change production; None for any other."""
    failed = release.state in {State.RESTORED, State.NEEDS_ATTENTION}
    return release.ended if failed and release.phase.reached(Phase.APPLYING) else None


def _recovered_at(failed: Release, history: Sequence[Release]) -> datetime | None:
    """When its failure was over: by its own restore, or by what went live next; None till then."""
    if failed.state is State.RESTORED or failed.ended is None:
        return failed.ended
    ended = failed.ended
    since = (each.live_since for each in proven_live(history) if each.live_since is not None)
    return min((each for each in since if each > ended), default=None)


def _first_live(history: Sequence[Release]) -> Mapping[Commit | None, str]:
    """Commit → its first release that went live: one that comes back later is no delivery."""
    return {each.commit: each.id for each in proven_live(history)}


def _lead_time(release: Release, times: Times) -> list[timedelta]:
    """Of each commit that waited for the deploy, not of its last alone."""
    if release.commit is None or release.live_since is None:
        return []
    made = map(times.committed.get, times.brought.get(release.id) or [release.commit])
    return [release.live_since - each for each in made if each is not None]


def _left_by_rollbacks(history: Sequence[Release]) -> Mapping[str, datetime]:
    """Deploys that a rollback left, and when it was live: the one that was live just before it."""
    oldest_first = list(reversed(proven_live(history)))
    left: dict[str, datetime] = {}
    for before, after in itertools.pairwise(oldest_first):
        # A rollback may find that the restore of a later deploy has brought this one back.
        if before.digest is not None and before.digest == after.digest:
            continue
        if (before.kind, after.kind) != (Kind.DEPLOY, Kind.ROLLBACK) or not after.live_since:
            continue
        # What it left was broken by a later deploy, which has failed by itself.
        if not any(_needed_attention_between(each, before, after) for each in history):
            left[before.id] = after.live_since
    return left


def _needed_attention_between(failed: Release, before: Release, after: Release) -> bool:
    at = _failed_at(failed) if failed.state is State.NEEDS_ATTENTION else None
    if at is None or before.live_since is None or after.live_since is None:
        return False
    return failed.kind is Kind.DEPLOY and before.live_since < at < after.live_since


def _rollbacks(history: Sequence[Release]) -> Iterable[RolledBack]:
    for each in proven_live(history):
        if each.kind is Kind.ROLLBACK and each.live_since is not None:
            request = each.request
            yield RolledBack(
                each.target, each.live_since, each.commit, request.why, request.requested_by
            )

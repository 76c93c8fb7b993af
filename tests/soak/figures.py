"""What a soak has come to, read from the journals and from when what was struck."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from slipway.domain.journal import EntryKind, JournalEntry
from slipway.domain.release import Phase, Release
from tests.soak.plan import Blow, Strike, Victim

NEEDED = frozenset({Victim.WORKER, Victim.PREFECT})
"""Without which nobody takes over; and the flow processes that work on the release."""
LEASE = 15.0
"""Seconds after which a process that stands still holds nothing any more."""
RENEWED = 5.0
"""Seconds between two renewals: so much earlier may it be that it holds nothing."""


@dataclass(frozen=True, slots=True)
class Struck:
    """A blow that fell; times are seconds since 1970."""

    strike: Strike
    pid: int
    fell: float
    back: float
    """When it was there again; a process that nobody starts again is gone at once."""
    recovered: bool = False
    """Whether it was a recovery's process, which may not have come to work yet."""

    def over(self, by: float) -> float:
        """When it stood in nobody's way any more, as `by` then somebody had gone on.

        A process that stands still may have renewed its lease long before it was stopped.
        """
        if self.strike.victim is not Victim.FLOW or self.strike.blow is not Blow.STOP:
            return self.back
        lapsed = self.fell + LEASE
        return min(self.back, lapsed if lapsed <= by else lapsed - RENEWED)


@dataclass(frozen=True, slots=True)
class Takeover:
    """A release that one process has left, and another went on with."""

    release: str
    workers: frozenset[int]
    """The processes that have worked on it until then."""
    again: bool
    """Whether the one before had ended in peace, because what runs could not be proven."""
    taken: float
    """The one after holds the lease, and the release's row says so."""
    decided: float | None
    """The journal's next entry: it has observed, and begins to do something about it.

    None where it was struck before.
    """
    ended: float | None
    fence: int
    """Of the lease; one recovery may take over several releases."""
    free: float = -math.inf
    """When whoever had the lease before was last at work by it, maybe for another release."""


@dataclass(frozen=True, slots=True)
class Period:
    """When a release stood open, and since when something was changed for it."""

    opened: float
    changing: float
    ended: float


def takeovers(release: Release, journal: Sequence[JournalEntry]) -> list[Takeover]:
    """Each time that another process went on with the release."""
    found, workers, row = [], set[int](), dict[str, object]()
    ended = release.ended.timestamp() if release.ended else None
    for each in journal:
        facts = each.facts if each.kind is EntryKind.STATE else {}
        if workers and facts.get("worker"):
            later = next((after for after in journal if after.number > each.number), None)
            decided = later.at if later is not None and later.fence == each.fence else None
            again = row.get("ended") is not None
            known = frozenset(workers)
            found.append(Takeover(release.id, known, again, each.at, decided, ended, each.fence))
        if facts.get("worker"):
            workers.add(facts["worker"]["pid"])
        row |= facts
    return found


def firsts(every: Iterable[Takeover]) -> list[Takeover]:
    """The first takeover under each lease: its others wait until that one is finished."""
    found: dict[int, Takeover] = {}
    for each in sorted(every, key=lambda each: each.taken):
        found.setdefault(each.fence, each)
    return list(found.values())


def beside(takeover: Takeover, journals: Iterable[Sequence[JournalEntry]]) -> Takeover:
    """The takeover with what the stack's other releases tell of who had the lease before."""
    earlier = (
        each.at
        for journal in journals
        for each in journal
        if 0 < each.fence < takeover.fence and each.at <= takeover.taken
    )
    return replace(takeover, free=max(earlier, default=-math.inf))


def waited(takeover: Takeover, struck: Iterable[Struck]) -> float:
    """Seconds from when all that the takeover needed was there to when the lease was held."""
    return _since_back(takeover.taken, takeover, struck, NEEDED)


def observed(takeover: Takeover, struck: Iterable[Struck]) -> float:
    """Likewise, to when it had observed, which needs the cluster; NaN if it was struck before."""
    if takeover.decided is None:
        return math.nan
    return _since_back(takeover.decided, takeover, struck, NEEDED | {Victim.API_SERVER})


def _since_back(
    when: float, takeover: Takeover, struck: Iterable[Struck], needed: frozenset[Victim]
) -> float:
    back = [
        each.over(when)
        for each in struck
        if each.strike.victim in needed
        or (each.strike.victim is Victim.FLOW and each.pid in takeover.workers)
        or each.recovered
    ]
    return when - max(max((at for at in back if at <= when), default=math.nan), takeover.free)


def period(release: Release, journal: Sequence[JournalEntry], now: float) -> Period:
    """When the release stood open; one that does still, until now."""
    ended = release.ended.timestamp() if release.ended else now
    changing = (each.at for each in journal if _pins(each))
    return Period(journal[0].at, next(changing, ended), ended)


def _pins(entry: JournalEntry) -> bool:
    return entry.kind is EntryKind.STATE and entry.facts.get("phase") == Phase.PINNING


def during(struck: Iterable[Struck], periods: Sequence[Period]) -> tuple[int, int]:
    """How many blows fell while a release was open, and while something was changed for one."""
    every = list(struck)
    return (
        sum(any(one.opened <= each.fell <= one.ended for one in periods) for each in every),
        sum(any(one.changing <= each.fell <= one.ended for one in periods) for each in every),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share does not exceed; NaN of none."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else math.nan


def spread(values: Sequence[float]) -> str:
    """The distribution in a line."""
    if not values:
        return "none"
    half, most = percentile(values, 0.5), percentile(values, 0.99)
    return f"p50 {half:.1f} s, p99 {most:.1f} s, longest {max(values):.1f} s, of {len(values)}"


def table(struck: Sequence[Struck]) -> str:
    """How often what was struck, as Markdown."""
    counted = Counter((each.strike.victim, each.strike.blow) for each in struck)
    rows = [["struck", *Blow], ["---"] * (len(Blow) + 1)]
    rows += [[victim, *(str(counted[victim, blow]) for blow in Blow)] for victim in Victim]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)

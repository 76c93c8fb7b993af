"""What a soak has come to, read from the journals and from when what was struck."""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slipway.domain.journal import JournalEntry
from slipway.domain.release import Release
from tests.soak.plan import Blow, Strike, Victim

NEEDED = frozenset({Victim.FLOW, Victim.WORKER, Victim.PREFECT})
"""Without which nobody takes over: a flow process that was stopped or killed meanwhile, too."""


@dataclass(frozen=True, slots=True)
class Struck:
    """A blow that fell; times are seconds since 1970."""

    strike: Strike
    fell: float
    back: float
    """When it was there again; a process that nobody starts again is gone at once."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """A release that had held the lease, and was taken over by whoever holds it now."""

    release: str
    taken: float
    """Recovery holds the lease, and the release's row says so."""
    decided: float
    """The journal's next entry: recovery has observed, and begins to do something about it."""
    ended: float | None


def takeovers(release: Release, journal: Sequence[JournalEntry]) -> list[Takeover]:
    """Each time that a higher fence went on with the release."""
    found = []
    for before, after in itertools.pairwise(journal):
        if 0 < before.fence < after.fence:
            later = next((each.at for each in journal if each.number > after.number), after.at)
            ended = release.ended.timestamp() if release.ended else None
            found.append(Takeover(release.id, after.at, later, ended))
    return found


def ready(struck: Iterable[Struck], at: float) -> float | None:
    """Since when, at that moment, all that a takeover needs had been there again."""
    needed = [each for each in struck if each.strike.victim in NEEDED and each.fell <= at]
    return max((min(each.back, at) for each in needed), default=None)


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

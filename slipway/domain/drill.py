"""A drill: whether the default rollback would work, if it were asked for now."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from slipway.domain.candidate import Outlook
from slipway.domain.commit import Commit
from slipway.domain.measures import Spread


class Result(StrEnum):
    """What a drill shows."""

    WORKS = "would work"
    FAILS = "would not work"
    NOT_TRIED = "not tried"
    """A release was at work, or something could not be reached: nothing is said."""
    NOT_TOLD = "can't be told"
    """All else would work; whether nodes pull the image is not visible from outside."""
    NOTHING_YET = "nothing to go back to yet"
    """Nothing was ever live before what is there now, so nothing is lost either."""


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill at one target. Production was not touched."""

    target: str
    result: Result
    why: str
    to: Commit | None = None
    """Where the rollback would go."""
    took: Sequence[tuple[str, float]] = ()
    """Each step that a rollback does before it changes anything, and its seconds."""
    updates: Spread = field(default_factory=lambda: Spread(0))
    """How long the target's updates have taken until they were proven, from the ledger."""
    outlook: Outlook | None = None
    """What would become of a rollback to any image; None where it did not come to that."""
    measured: float | None = None
    """Seconds that the rollback of a full drill took; None where none was made."""

    @property
    def expected_seconds(self) -> float | None:
        """About how long the rollback would take; None where no update was ever measured."""
        if self.measured is not None:
            return self.measured
        if self.updates.median is None or self.result is not Result.WORKS:
            return None
        return sum(seconds for _, seconds in self.took) + self.updates.median


def worst_result(drills: Sequence[Drill]) -> Result | None:
    """The result that most needs a person."""
    order = [
        Result.FAILS,
        Result.NOT_TRIED,
        Result.NOT_TOLD,
        Result.NOTHING_YET,
        Result.WORKS,
    ]
    return min((each.result for each in drills), key=order.index, default=None)

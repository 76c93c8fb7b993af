"""The rows of the one table: what was measured, beside whom, and whether the promise holds."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.machine import Conditions
from benchmarks.samples import FEWEST_ROUNDS, Series, ratio

RESULTS = Path(__file__).with_name("results.json")
Record = dict[str, Any]


@dataclass(frozen=True)
class AtMost:
    """A promise: at most so many times another side, or at most so much of the row's unit."""

    bound: float
    of: Literal["peer", "limit", ""] = ""

    def text(self, unit: str) -> str:
        """The promise as the table has it."""
        if self.of:
            return f"≤ {self.bound:.2f} × {self.of}"  # noqa: RUF001 - times
        return f"≤ {self.bound:g} {unit}".strip()


@dataclass(frozen=True)
class Row:
    """One thing that was measured. Without a promise it is reported only."""

    id: str
    what: str
    unit: str
    ours: Series
    peer: Series | None = None
    limit: Series | None = None
    promise: AtMost | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    """Where it goes, by the name of the part, in the row's unit."""
    points: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    """Side → size → seconds, of a row that tells how a cost grows."""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours beside the peer; where there is none, beside the limit. Exponents have none."""
        if self.points:
            return None
        other = self.peer or self.limit
        return ratio(self.ours, other) if other else None

    @property
    def ok(self) -> bool | None:
        """Whether the promise holds; None when nothing was promised."""
        if self.promise is None:
            return None
        if self.ours.at_least:
            return False
        if not self.promise.of:
            return self.ours.median <= self.promise.bound
        other = self.peer if self.promise.of == "peer" else self.limit
        measured = ratio(self.ours, other) if other else None
        return measured is not None and measured <= self.promise.bound

    def record(self, conditions: Conditions) -> Record:
        """The row as results.json has it."""
        rounds = len(self.ours.samples)
        few = f"only {rounds} round{'s' * (rounds != 1)}" if rounds < FEWEST_ROUNDS else ""
        sides = {"ours": self.ours, "peer": self.peer, "limit": self.limit}
        measured = {name: side for name, side in sides.items() if side is not None}
        cpu = {name: _short(side.cpu) for name, side in measured.items() if side.cpu is not None}
        return {
            "id": self.id,
            "what": self.what,
            "ours": _short(self.ours.median),
            "peer": _short(self.peer.median) if self.peer else None,
            "limit": _short(self.limit.median) if self.limit else None,
            "ratio": _short(self.ratio),
            "promise": self.promise.text(self.unit) if self.promise else None,
            "ok": self.ok,
            "unit": self.unit,
            "rounds": rounds,
            "spread": {
                name: [_short(end) for end in side.spread] for name, side in measured.items()
            },
            "cpu": cpu,
            "at_least": [name for name, side in measured.items() if side.at_least],
            "parts": {name: _short(value) for name, value in self.parts.items()},
            "points": {
                name: {str(size): _short(value) for size, value in each.items()}
                for name, each in self.points.items()
            },
            "note": "; ".join(each for each in (self.note, few) if each),
            "conditions": conditions.record(),
        }


def _short(value: float | None) -> float | None:
    """Four digits: more would not come out again."""
    return None if value is None else float(f"{value:.4g}")


def read(path: Path = RESULTS) -> list[Record]:
    """The rows there are."""
    return list(json.loads(path.read_text())) if path.exists() else []


def forget(path: Path = RESULTS) -> None:
    """Have no rows: what a whole run fails to measure must not stand there from before."""
    path.write_text("[]\n")


def unmeasured(benchmark: str, error: Exception, conditions: Conditions) -> Record:
    """The row of a benchmark that has failed: it is shown, and holds nothing."""
    return {
        "id": benchmark,
        "what": f"not measured: {type(error).__name__}",
        **dict.fromkeys(("ours", "peer", "limit", "ratio", "promise")),
        "ok": False,
        "unit": "",
        "rounds": 0,
        **{name: {} for name in ("spread", "cpu", "parts", "points")},
        "at_least": [],
        "note": "",
        "conditions": conditions.record(),
    }


def write(records: Iterable[Record], benchmark: str, path: Path = RESULTS) -> list[Record]:
    """Put a benchmark's rows in place of those that it had, behind the others; all rows."""
    new = [{**each, "benchmark": benchmark} for each in records]
    ids = {each["id"] for each in new}
    kept = [
        each for each in read(path) if each.get("benchmark") != benchmark and each["id"] not in ids
    ]
    path.write_text(json.dumps([*kept, *new], indent=1, ensure_ascii=False) + "\n")
    return [*kept, *new]

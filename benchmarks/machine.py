"""The machine that measured, and how busy others kept it."""

import os
import platform
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

WATCHED = 2.0
"""Seconds for which a machine that should be idle is watched."""


@dataclass(frozen=True)
class Conditions:
    """Under which a row was measured."""

    at: str
    cores: int
    memory_gib: int
    python: str
    busy_before: float
    """Share of all processors that were in use just before, while we did nothing: others' load."""
    load_before: float
    load_after: float

    def record(self) -> dict[str, Any]:
        """As results.json has it."""
        return asdict(self)


@dataclass(frozen=True)
class Before:
    """What was noted before a measurement; `after` completes it."""

    busy: float
    load: float

    def after(self) -> Conditions:
        """The conditions, once the measurement is done."""
        return Conditions(
            datetime.now(UTC).isoformat(timespec="seconds"),
            os.cpu_count() or 1,
            round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            platform.python_version(),
            round(self.busy, 2),
            round(self.load, 2),
            round(os.getloadavg()[0], 2),
        )


def look() -> Before:
    """Watch the machine for a moment."""
    first = _ticks(Path("/proc/stat").read_text())
    time.sleep(WATCHED)
    return Before(busy_share(first, _ticks(Path("/proc/stat").read_text())), os.getloadavg()[0])


def busy_share(first: tuple[int, int], then: tuple[int, int]) -> float:
    """Share of the time between two readings in which processors worked."""
    worked, idled = then[0] - first[0], then[1] - first[1]
    return worked / (worked + idled) if worked + idled else 0.0


def _ticks(stat: str) -> tuple[int, int]:
    """Ticks worked and idled, of all processors together (proc(5), /proc/stat)."""
    user, nice, system, idle, waiting, *interrupts = map(int, stat.split("\n", 1)[0].split()[1:9])
    return user + nice + system + sum(interrupts), idle + waiting

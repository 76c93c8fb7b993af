"""The machine that measured, and how busy others kept it."""

import os
import platform
import subprocess
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
WATCHED = 2.0
"""Seconds for which a machine that should be idle is watched."""
IDLE, IDLE_WITHIN = 0.1, 60.0
"""The share of its processors that an idle machine uses; seconds for which that is waited for."""


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
    commit: str
    """What was measured; with a plus where it had changes that are not committed."""

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
            commit(),
        )


def commit() -> str:
    """The commit of this checkout, in short; empty outside of one."""
    changed = _git("status", "--porcelain", "--", "*.py", "*.sh", "requirements.lock")
    return _git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607 - the git that the user has
    return done.stdout.strip()


def look_when_idle() -> Before:
    """What is noted once nothing else works, or after a while if that does not come."""
    deadline = time.monotonic() + IDLE_WITHIN
    while (seen := look()).busy > IDLE and time.monotonic() < deadline:
        pass
    return seen


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

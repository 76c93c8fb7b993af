"""Measured values: taken in turns, summed up by their median and spread."""

import math
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FEWEST_ROUNDS = 5


@dataclass(frozen=True)
class Sample:
    """One measured value, most often seconds; `cpu` are the seconds of processor time it took."""

    value: float
    cpu: float | None = None
    at_least: bool = False
    """Nobody waited for the end: the true value is larger."""


class Stopwatch:
    """Runs from when it is made; counts the processor time of waited-for children too."""

    def __init__(self) -> None:
        self._began, self._cpu = time.perf_counter(), _cpu_seconds()

    def sample(self) -> Sample:
        """What it shows now."""
        return Sample(time.perf_counter() - self._began, _cpu_seconds() - self._cpu)


def _cpu_seconds() -> float:
    used = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


Words = Sequence[str | Path]
Side = Callable[[int], Awaitable[Sample]]
"""Does the work of one round once."""


@dataclass(frozen=True)
class Series:
    """The samples of one side, in the order of the rounds."""

    samples: tuple[Sample, ...]

    @property
    def values(self) -> tuple[float, ...]:
        """The values alone."""
        return tuple(each.value for each in self.samples)

    @property
    def median(self) -> float:
        """The value in the middle: one slow round does not move it."""
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return min(self.values), max(self.values)

    @property
    def cpu(self) -> float | None:
        """The median of the processor time, where it was measured in every round."""
        measured = [each.cpu for each in self.samples if each.cpu is not None]
        return statistics.median(measured) if len(measured) == len(self.samples) else None

    @property
    def at_least(self) -> bool:
        """Whether the median stands for something that nobody waited for."""
        return 2 * sum(each.at_least for each in self.samples) > len(self.samples)


def series(*values: float) -> Series:
    """A series of plain values."""
    return Series(tuple(Sample(each) for each in values))


def ratio(ours: Series, other: Series) -> float | None:
    """The median of the rounds' own ratios: what slows a whole round does not move it."""
    if len(ours.values) != len(other.values):
        return ours.median / other.median if other.median else None
    pairs = zip(ours.values, other.values, strict=True)
    quotients = [mine / theirs for mine, theirs in pairs if theirs]
    return statistics.median(quotients) if quotients else None


def slowest_of_a_hundred(values: Sequence[float]) -> float:
    """The 99th percentile, by the nearest rank."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


async def warm_up(sides: Mapping[str, Side]) -> None:
    """Do every side once, unmeasured: caches are as warm for the peer as for us."""
    for side in sides.values():
        await side(-1)


async def in_turns(sides: Mapping[str, Side], rounds: int) -> dict[str, Series]:
    """Do every side once a round: forwards, backwards, and then beginning with the next one.

    So no side always follows the same one.
    """
    taken: dict[str, list[Sample]] = {name: [] for name in sides}
    names = list(sides)
    for number in range(rounds):
        first = number // 2 % len(names)
        turns = names[first:] + names[:first]
        for name in reversed(turns) if number % 2 else turns:
            taken[name].append(await sides[name](number))
    return {name: Series(tuple(samples)) for name, samples in taken.items()}


def exponent(points: Mapping[int, float]) -> float:
    """The slope of a straight line through the points, both axes logarithmic."""
    if len(points) < 2:  # noqa: PLR2004 - a line needs two
        raise ValueError(f"no line goes through {len(points)} points")
    xs = [math.log(size) for size in points]
    ys = [math.log(value) for value in points.values()]
    return statistics.linear_regression(xs, ys).slope


@dataclass(frozen=True)
class Ended:
    """A command that has run to its end."""

    code: int
    output: str
    sample: Sample


def run(
    argv: Words,
    environment: Mapping[str, str],
    *,
    folder: Path | None = None,
    may_fail: bool = False,
) -> Ended:
    """Run a command; its wall time, and the processor time of it and of what it waited for."""
    began = time.perf_counter()
    with subprocess.Popen(
        [str(each) for each in argv],
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None  # noqa: S101 - asked for above
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if process.returncode and not may_fail:
        shown = " ".join(str(each) for each in argv[:4])
        raise RuntimeError(f"{shown} … ended with {process.returncode}:\n{output[-2000:]}")
    return Ended(process.returncode, output, Sample(wall, used.ru_utime + used.ru_stime))

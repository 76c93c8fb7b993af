"""What looks for a planted bug: the fast tests of the same rooms, and then the simulation."""

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.simulation.matrix import SEEDS, STEPS, Scenario, cells, scenario_story
from tests.simulation.seeds import story_of
from tests.simulation.simulator import quiet, simulate
from tests.simulation.story import Story


def simulated(sagas: int, seeds: int) -> str:
    """Where the simulation noticed something, and by which invariant; empty when nowhere."""
    with quiet():
        for name, story in _stories(sagas, SEEDS[:seeds]):
            result = simulate(story)
            if result.violations:
                return f"{name}: {result.violations[0].invariant}"
    return ""


def tested(tests: str) -> str:
    """The first of these tests that fails; empty when none does."""
    first = _First()
    words = ["-q", "-x", "-p", "no:cacheprovider", "-m", "not sandbox"]
    words += ["-W", "ignore:Module already imported"]  # this process has run the simulation
    with contextlib.redirect_stdout(io.StringIO()):
        code = pytest.main([*words, tests], plugins=[first])
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        raise RuntimeError(f"{tests} could not be run: pytest ended with {code}")
    return first.failed


class _First:
    def __init__(self) -> None:
        self.failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the first failure's name."""
        if report.failed and not self.failed:
            self.failed = Path(report.nodeid).name


def _stories(sagas: int, seeds: Sequence[int]) -> Iterator[tuple[str, Story]]:
    for seed in seeds:
        for cell in cells():
            if cell.applies:
                yield f"{cell.step.name}, {cell.fault}, {cell.point}", cell.story(seed)
        for scenario in Scenario:
            for step in STEPS:
                yield f"{step.name}, {scenario}", scenario_story(scenario, step, seed)
        for number in range(seed, sagas, len(seeds)):
            yield f"seed {number}", story_of(number)


def look(tree: Path, tests: str, sagas: int, seeds: int) -> str:
    """What notices the bug in this copy of the repository."""
    os.chdir(tree)
    return tested(tests) or simulated(sagas, seeds)

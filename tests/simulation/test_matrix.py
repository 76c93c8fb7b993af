"""The fault matrix: every step, every fault, every point, and every call of a release."""

from collections import Counter
from pathlib import Path

import pytest

from tests.simulation import matrix
from tests.simulation.matrix import SEEDS, STEPS, Generic, Point, Scenario, Step, cells
from tests.simulation.simulator import quiet, simulate
from tests.simulation.story import ADAPTER, Fault, Start, Story, Trouble

COMMITTED = Path(__file__).with_name("matrix.md")
APPLICABLE = [each for each in cells() if each.applies]


def test_the_matrix_is_whole() -> None:
    every = list(cells())

    assert len(every) == len(STEPS) * len(Generic) * len(Point) == 288
    assert len(APPLICABLE) == 143
    assert all(each.why_not for each in every if not each.applies)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_every_cell_ends_with_every_invariant_held(step: Step) -> None:
    told = []
    with quiet():
        for cell in (each for each in APPLICABLE if each.step == step):
            for seed in SEEDS:
                result = matrix.tell(cell.story(seed))
                where = f"{cell.fault}, {cell.point}, seed {seed}"
                told += [f"{where}: {each}" for each in result.violations]
                told += [] if result.struck else [f"{where}: nothing struck"]

    assert not told, "\n".join(told)


@pytest.mark.parametrize("scenario", Scenario)
def test_every_scenario_ends_with_every_invariant_held(scenario: Scenario) -> None:
    told = []
    with quiet():
        for step in STEPS:
            for seed in SEEDS:
                result = matrix.tell(matrix.scenario_story(scenario, step, seed))
                told += [f"{step.name}, seed {seed}: {each}" for each in result.violations]
                told += [] if result.struck else [f"{step.name}, seed {seed}: nothing struck"]

    assert not told, "\n".join(told)


def test_the_committed_table_is_what_happens() -> None:
    """Mend it with: python -m tests.simulation.matrix > tests/simulation/matrix.md"""
    with quiet():
        assert matrix.table() == COMMITTED.read_text(encoding="utf-8")


@pytest.mark.parametrize("commit", ["second", "crashing"])
@pytest.mark.parametrize(
    "fault", [Fault.TERM, Fault.KILL, Fault.POWER, Fault.STOP, Fault.CLOCK_BACK]
)
def test_an_interruption_at_any_call_ends_with_every_invariant_held(
    fault: Fault, commit: str
) -> None:
    start = Start(0, "A", "deploy", ADAPTER, commit)
    told, struck = [], 0
    with quiet():
        for effect, count in calls_of(start).items():
            for nth in range(1, count + 1):
                for moment in ("before", "after"):
                    trouble = Trouble("A", effect, nth, moment, fault)
                    result = simulate(Story(0, (start, trouble)))
                    struck += result.struck
                    told += [f"{trouble}: {each}" for each in result.violations]

    assert not told, "\n".join(told)
    assert struck > 100


def calls_of(start: Start) -> Counter[str]:
    """How often a process makes each call when nothing strikes; repeated looks only three times."""
    trace = simulate(Story(0, (start,))).trace
    calls = Counter(each.what for each in trace if each.who == start.name and "." in each.what)
    return Counter(
        {effect: min(count, 3 if "observe" in effect else 12) for effect, count in calls.items()}
    )

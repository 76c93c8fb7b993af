"""Random sagas: whatever strikes, every release ends proven, and says so."""

import subprocess
import sys

import pytest

from tests.simulation.__main__ import FEWEST, run_batch
from tests.simulation.seeds import story_of
from tests.simulation.shrinking import shrink, told
from tests.simulation.simulator import Result, quiet, simulate
from tests.simulation.story import Event, Fault, Start, Story, Trouble
from tests.simulation.witness import Violation

SAGAS = 2700
TOLD_TO_AUTOMATION = {"held", "vetoed", "superseded", "unchanged"}


@pytest.mark.timeout(600)
def test_no_invariant_is_broken_in_some_thousand_sagas() -> None:
    batch = run_batch(range(SAGAS))

    broken = [told(shrink(simulate(story_of(seed)))) for seed in batch.broken[:1]]
    assert not broken, broken[0]
    assert batch.sagas > 2000
    assert batch.faults > FEWEST * SAGAS
    assert batch.ends.keys() >= TOLD_TO_AUTOMATION | {"proven", "disproven", "reason-missing"}


def digests(seeds: range) -> str:
    with quiet():
        return " ".join(simulate(story_of(seed)).digest for seed in seeds)


def test_a_seed_replays_identically_in_this_process_and_in_another() -> None:
    seeds = range(40)
    words = "from tests.simulation.test_sagas import digests; print(digests(range(40)))"
    environment = {"PYTHONHASHSEED": "4711", "PATH": ""}

    done = subprocess.run(
        [sys.executable, "-c", words], capture_output=True, text=True, check=True, env=environment
    )

    assert digests(seeds) == digests(seeds) == done.stdout.strip()


def test_different_seeds_tell_different_stories() -> None:
    assert len({str(story_of(seed)) for seed in range(200)}) > 190


def test_a_failing_story_is_shrunk_to_what_it_needs() -> None:
    """Planted: the only thing that this simulator minds is that A is cancelled."""
    needed = Trouble("A", "config.write", 1, "after", Fault.TERM)
    events: list[Event] = [
        Start(0, "A", "deploy", "ls-triton-adapter-prod", "second"),
        Start(1, "B", "deploy", "annotations-sink-prod", "second"),
        needed,
        Trouble("B", "stack.up", 1, "before", Fault.REFUSED),
        Trouble("A", "stack.up", 1, "before", Fault.HANGS),
    ]

    shortest = shrink(_minding(Story(7, tuple(events))), _minding)

    assert set(shortest.story.events) == {events[0], needed}
    assert "after call 1 of config.write by A: cancelled" in told(shortest)
    assert "A starts: deploy second at ls-triton-adapter-prod" in told(shortest)


def _minding(story: Story) -> Result:
    result = simulate(story)
    if any("cancelled: " in each and "restored" in each for each in result.ends):
        result.violations.append(Violation("planted", "a restore after a cancel"))
    return result

"""`make simulate N=100000`: many sagas by seed, on every core, until one breaks an invariant."""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.simulation.seeds import story_of
from tests.simulation.shrinking import shrink, told
from tests.simulation.simulator import quiet, simulate

BATCH = 50
FEWEST = 2
"""Faults that must have struck for a story to count as a saga."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a row of seeds came to."""

    sagas: int
    faults: int
    broken: tuple[int, ...]
    ends: Counter[str]
    """How often releases ended for each reason's code."""


def run_batch(seeds: range) -> Batch:
    """Tell the stories of these seeds."""
    sagas, faults, broken, ends = 0, 0, [], Counter[str]()
    with quiet():
        for seed in seeds:
            result = simulate(story_of(seed))
            sagas += result.struck >= FEWEST
            faults += result.struck
            ends.update(result.codes)
            if result.violations:
                broken.append(seed)
    return Batch(sagas, faults, tuple(broken), ends)


def batches(first: int) -> Iterator[range]:
    """Seeds without end."""
    while True:
        yield range(first, first + BATCH)
        first += BATCH


def main(argv: list[str]) -> int:
    """Run until so many sagas have been told, or one is broken."""
    asked = _arguments(argv)
    if asked.seed is not None:
        result = simulate(story_of(asked.seed))
        print(told(shrink(result) if result.violations else result))  # noqa: T201 - a command
        return 1 if result.violations else 0
    began, sagas, faults, last = time.monotonic(), 0, 0, asked.first
    with multiprocessing.Pool(asked.processes, maxtasksperchild=50) as pool:
        rows = batches(asked.first)
        while sagas < asked.sagas:
            row = [next(rows) for _ in range(asked.processes * 4)]
            for batch in pool.map(run_batch, row, chunksize=1):
                sagas, faults = sagas + batch.sagas, faults + batch.faults
                if batch.broken:
                    print(told(shrink(simulate(story_of(batch.broken[0])))))  # noqa: T201 - likewise
                    return 1
            last = row[-1][-1]
            _show(sagas, faults, range(asked.first, last + 1), time.monotonic() - began)
    sys.stdout.write("\nevery invariant held in each of them\n")
    return 0


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.simulation", description=__doc__)
    parser.add_argument("--sagas", type=int, default=10_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--seed", type=int, help="tell the story of this seed only")
    return parser.parse_args(argv)


def _show(sagas: int, faults: int, seeds: range, seconds: float) -> None:
    sys.stdout.write(
        f"\r{sagas} sagas with {FEWEST} faults or more, {faults} faults, seeds "
        f"{seeds.start} to {seeds.stop - 1}: {len(seeds) / seconds:.0f} stories a second"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

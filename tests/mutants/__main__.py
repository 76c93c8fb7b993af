"""`make mutants`: plant each bug in a copy of the repository, and see that it is noticed.

The fast tests of the same room look first; what they do not notice, the simulation must.
"""

import argparse
import multiprocessing
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.mutants.planted import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
COPIED = ("blocks", "flows", "slipway", "tests", "pyproject.toml")
OURS = {"blocks", "flows", "slipway", "tests"}


def caught_by(mutant: Mutant, sagas: int, seeds: int) -> str:
    """What noticed the bug; empty when nothing did."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, tree / name)
        mutant.plant(tree)
        return _looked_at(tree, mutant.tests, sagas, seeds)


def _looked_at(tree: Path, *how: str | int) -> str:
    """Look in a fork that has imported everything but our own rooms, which are the copy's."""
    here, there = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_look, args=(there, tree, *how))
    child.start()
    there.close()
    try:
        return str(here.recv())
    except EOFError as error:
        raise RuntimeError(f"nothing could look at {tree}: its error stands above") from error
    finally:
        child.join()


def _look(answer: Connection, tree: Path, *how: Any) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] in OURS]:
        del sys.modules[name]
    sys.path.insert(0, str(tree))
    from tests.mutants.hunt import look  # the copy's

    answer.send(look(tree, *how))


def rows(
    mutants: tuple[Mutant, ...], at_once: int, sagas: int, seeds: int
) -> Iterator[tuple[str, str]]:
    """Each mutant's name and what noticed it, in their order."""
    import prefect.flows  # noqa: F401 - costs seconds, and is the same for every fork

    with ThreadPoolExecutor(at_once) as threads:
        for mutant, found in zip(
            mutants, threads.map(lambda each: caught_by(each, sagas, seeds), mutants), strict=True
        ):
            yield mutant.name, found


def main(argv: list[str]) -> int:
    """Print the table; 1 when a bug was not noticed."""
    parser = argparse.ArgumentParser("python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="mutants whose name contains this")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--sagas", type=int, default=100, help="after the fast tests have looked")
    parser.add_argument("--seeds", type=int, default=1, help="of the matrix")
    asked = parser.parse_args(argv)
    chosen = tuple(each for each in MUTANTS if asked.only in each.name)
    missed = 0
    sys.stdout.write("| planted bug | noticed by |\n|---|---|\n")
    for name, found in rows(chosen, asked.processes, asked.sagas, asked.seeds):
        missed += not found
        sys.stdout.write(f"| {name} | {found or '**nothing**'} |\n")
        sys.stdout.flush()
    sys.stdout.write(f"\n{len(chosen) - missed} of {len(chosen)} planted bugs were noticed\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

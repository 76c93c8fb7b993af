"""`python -m benchmarks`: measure, and write results.json, docs/performance.md and its plots."""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import deploy, growth, machine, noticing, plots, publish, startup
from benchmarks.rows import Record, Row, read, write
from benchmarks.samples import FEWEST_ROUNDS
from benchmarks.table import results_table, write_page
from benchmarks.world import World, running

Measure = Callable[[World, int], Coroutine[Any, Any, list[Row]]]
BENCHMARKS: Mapping[str, Measure] = {
    "startup": startup.measure,
    "publish": publish.measure,
    "deploy": deploy.measure,
    "noticing": noticing.measure,
    "growth": growth.measure,
}


def main() -> int:
    """Measure what is asked for; 1 when a promise does not hold."""
    arguments = _parser().parse_args()
    if arguments.table:
        _publish(read())
        return 0
    wanted = arguments.only or list(BENCHMARKS)
    with running(arguments.state) as world:
        records = [record for name in wanted for record in _measured(name, world, arguments.rounds)]
    print("\n".join(results_table(records)))
    if not arguments.dry_run:
        _publish(write(records))
    return 1 if any(each["ok"] is False for each in records) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--rounds", type=int, default=FEWEST_ROUNDS)
    parser.add_argument("--state", type=Path, help="use and keep the sandbox in this folder")
    parser.add_argument("--dry-run", action="store_true", help="print, and write nothing")
    parser.add_argument("--table", action="store_true", help="only write the page and plots anew")
    return parser


def _measured(name: str, world: World, rounds: int) -> Sequence[Record]:
    print(f"{name}: {rounds} rounds …", flush=True)
    before, began = machine.look(), time.monotonic()
    rows = asyncio.run(BENCHMARKS[name](world, rounds))
    print(f"{name}: measured in {time.monotonic() - began:.0f} s", flush=True)
    conditions = before.after()
    return [each.record(conditions) for each in rows]


def _publish(records: Sequence[Record]) -> None:
    write_page(records)
    plots.draw(records)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks`: measure, and write results.json, docs/performance.md and its plots."""

import argparse
import asyncio
import logging
import sys
import time
import traceback
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
    for name in ("slipway", "flows"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if arguments.table:
        _publish(read())
        return 0
    good = True
    with running(arguments.state) as world:
        for name in arguments.only or list(BENCHMARKS):
            records = _measured(name, world, arguments.rounds)
            good = good and bool(records) and all(each["ok"] is not False for each in records)
            print("\n".join(results_table(records)), flush=True)
            if not arguments.dry_run:
                write(records)
    if not arguments.dry_run:
        _publish(read())
    return 0 if good else 1


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
    try:
        rows = asyncio.run(BENCHMARKS[name](world, rounds))
    except Exception:  # noqa: BLE001 - the others are still worth measuring; the exit code tells
        traceback.print_exc()
        return []
    print(f"{name}: measured in {time.monotonic() - began:.0f} s", flush=True)
    conditions = before.after()
    return [each.record(conditions) for each in rows]


def _publish(records: Sequence[Record]) -> None:
    write_page(records)
    plots.draw(records)


if __name__ == "__main__":
    sys.exit(main())

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

from benchmarks import (
    audit,
    deploy,
    going_back,
    growth,
    machine,
    noticing,
    plans,
    plots,
    publish,
    pushed,
    stalled,
    startup,
    storm,
    webhook,
)
from benchmarks.rows import Record, Row, forget, read, unmeasured, write
from benchmarks.samples import FEWEST_ROUNDS
from benchmarks.table import results_table, write_page
from benchmarks.world import World, running

Measure = Callable[[World, int], Coroutine[Any, Any, list[Row]]]
BENCHMARKS: Mapping[str, Measure] = {
    "startup": startup.measure,
    "publish": publish.measure,
    "deploy": deploy.measure,
    "noticing": noticing.measure,
    "back": going_back.measure,
    "pushed": pushed.measure,
    "targets": growth.targets,
    "definitions": growth.definitions,
    "tags": growth.tags,
    "lookups": audit.measure,
    "audit": audit.unchanged,
}
ALONE: Mapping[str, Callable[[None, int], Coroutine[Any, Any, list[Row]]]] = {
    "ledger": growth.ledger,
    "plans": plans.measure,
    "webhook": webhook.measure,
    "stalled": stalled.measure,
    "storm": storm.measure,
}
"""What needs no sandbox."""
NAMES = [*ALONE, *BENCHMARKS]
FAILED = 3
"""The exit code of a run in which something could not be measured (2 is a wrong call)."""


def main() -> int:
    """Measure what is asked for; 1 when a promise does not hold, 3 when a measurement failed."""
    arguments = _parser().parse_args()
    for name in ("slipway", "flows"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if arguments.table:
        _publish(read())
        return 0
    wanted, rounds = arguments.only or NAMES, arguments.rounds
    if not arguments.only and not arguments.dry_run:
        forget()
    keep = not arguments.dry_run
    try:
        records = _measure_all(wanted, rounds, arguments.state, keep=keep)
    finally:
        if keep:
            _publish(read())
    if any(each["ours"] is None for each in records):
        return FAILED
    return 0 if all(each["ok"] is not False for each in records) else 1


def _measure_all(
    wanted: Sequence[str], rounds: int, state: Path | None, *, keep: bool
) -> list[Record]:
    records = [
        record
        for name in wanted
        if name in ALONE
        for record in _measured(name, ALONE[name](None, rounds), keep=keep)
    ]
    if within := [name for name in wanted if name in BENCHMARKS]:
        with running(state) as world:
            for name in within:
                records += _measured(name, BENCHMARKS[name](world, rounds), keep=keep)
    return records


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "only", nargs="*", metavar="NAME", choices=[*NAMES, []], help=f"of {', '.join(NAMES)}"
    )
    parser.add_argument("--rounds", type=int, default=FEWEST_ROUNDS)
    parser.add_argument("--state", type=Path, help="use and keep the sandbox in this folder")
    parser.add_argument("--dry-run", action="store_true", help="print, and write nothing")
    parser.add_argument("--table", action="store_true", help="only write the page and plots anew")
    return parser


def _measured(
    name: str, measuring: Coroutine[Any, Any, list[Row]], *, keep: bool
) -> Sequence[Record]:
    """Measure, print and keep one benchmark; the others are still worth measuring if it fails."""
    print(f"{name} …", flush=True)
    before, began = machine.look_when_idle(), time.monotonic()
    try:
        rows = asyncio.run(measuring)
        conditions = before.after()
        records = [each.record(conditions) for each in rows]
        print(f"{name}: measured in {time.monotonic() - began:.0f} s", flush=True)
    except Exception as error:  # noqa: BLE001 - told here, in the table, and by the exit code
        traceback.print_exc()
        records = [unmeasured(name, error, before.after())]
    print("\n".join(results_table(records)), flush=True)
    if keep:
        write(records, name)
    return records


def _publish(records: Sequence[Record]) -> None:
    write_page(records)
    plots.draw(records)


if __name__ == "__main__":
    sys.exit(main())

"""`make soak N=200 SEED=1`: releases under so many blows, and what has become of each."""

import argparse
import asyncio
import contextlib
import math
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import SecretStr

from sandbox import example
from sandbox.box import Box
from sandbox.part import start_all, stop_all
from slipway.domain.release import Kind, Outcome, Release, State
from slipway.ledger.settings import VARIABLE, LedgerSettings
from slipway.ledger.sql import SqlLedger
from slipway.ports import ALL
from slipway.tasks.standing import look_around
from slipway.tasks.witnesses import all_flaws, witnesses
from tests.sandbox.releases.powerless import lose_power
from tests.sandbox.releases.real_world import ADAPTER, SINK, RealWorld, make_world
from tests.sandbox.releases.sampling import UpdatesAtOnce
from tests.soak.figures import (
    Struck,
    beside,
    during,
    firsts,
    observed,
    period,
    spread,
    table,
    takeovers,
    waited,
)
from tests.soak.plan import Victim, strikes
from tests.soak.releases import Releases
from tests.soak.world import PARTS, flows_at_work, pause, strike

QUIET_WITHIN = 1200.0
"""Seconds: Pulumi's lease is five minutes, and a watch's longest pause ten."""
SLOWEST = 5
"""How many takeovers are told one by one."""
TARGETS = (ADAPTER, SINK)
"""Of one stack: their releases wait for each other."""
PROVEN = {State.LIVE, State.RESTORED, State.REFUSED}


def main(argv: Sequence[str]) -> int:
    """Run a soak; 1 when a release has no proven end, or anything is left behind."""
    asked = _arguments(argv)
    with _box(asked.keep) as box:
        world = make_world(box)
        # The ledger's address comes from here, in this process too.
        os.environ.update(example.variables(box))
        began = time.time()
        releases = [Releases(world, target, asked.seed) for target in TARGETS]
        with _sampled(box) as sampler:
            struck = _storm(releases, box, asked, began + asked.minutes * 60)
            stormed = time.time() - began
            _wait_until_quiet(world, releases)
        _tell(f"\n{len(struck)} blows in {stormed / 60:.0f} minutes\n\n{table(struck)}\n")
        _tell(f"updates of the stack at once: {sampler.most} at most")
        _tell(f"runs that Prefect does not know to have ended: {dict(_under_way(releases))}")
        good = asyncio.run(_report(world, struck))
        return 0 if good and sampler.most == 1 else 1


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--blows", type=int, default=200, help="how many must have fallen")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600, help="strike no longer than this")
    parser.add_argument("--keep", type=Path, help="keep logs and ledger in this folder")
    return parser.parse_args(argv)


@contextlib.contextmanager
def _box(keep: Path | None) -> Iterator[Box]:
    box = Box(Path(tempfile.mkdtemp(prefix="slipway-soak-")))
    try:
        start_all(box, PARTS)
        yield box
    finally:
        lose_power(box)
        stop_all(box, PARTS)
        if keep is not None:
            for name in ("logs", "ledger"):
                shutil.copytree(box.folder(name), keep / name, dirs_exist_ok=True)
        shutil.rmtree(box.root, ignore_errors=True)


@contextlib.contextmanager
def _sampled(box: Box) -> Iterator[UpdatesAtOnce]:
    sampler = UpdatesAtOnce(box)
    sampler.start()
    try:
        yield sampler
    finally:
        sampler.stop()


def _storm(
    releases: list[Releases], box: Box, asked: argparse.Namespace, until: float
) -> list[Struck]:
    """Strike until so many blows have fallen, or it is too late, while releases go on."""
    struck: list[Struck] = []
    asked_to_end = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: asked_to_end.set())
    for each in releases:
        each.start()

    def over() -> bool:
        enough = len(struck) >= asked.blows or asked_to_end.is_set()
        return enough or time.time() > until or not all(each.is_alive() for each in releases)

    def at(victim: Victim) -> None:
        for each in strikes(asked.seed, victim):
            if over():
                return
            fallen = strike(box, each, over)
            if fallen is not None:
                struck.append(fallen)
                _tell(f"{len(struck):4} {fallen.strike.victim}: {fallen.strike.blow}")
                pause(each.pause, over)

    with ThreadPoolExecutor(len(Victim)) as victims:
        for ended in [victims.submit(at, victim) for victim in Victim]:
            ended.result()
    for each in releases:
        each.stop()
    for each in releases:
        each.join()
    return sorted(struck, key=lambda each: each.fell)


def _under_way(releases: list[Releases]) -> Counter[str]:
    return sum((each.under_way() for each in releases), Counter[str]())


def _wait_until_quiet(world: RealWorld, releases: list[Releases]) -> None:
    """Nobody helps: the watch finishes what stands open, or it stays so and is told."""
    deadline = time.monotonic() + QUIET_WITHIN
    while time.monotonic() < deadline:
        runs = _under_way(releases)
        to_come = runs["Scheduled"] + runs["Late"]
        if not (to_come or flows_at_work(world.box) or asyncio.run(_open(world))):
            return
        time.sleep(2)


async def _open(world: RealWorld) -> list[str]:
    """What is not over: releases, and the lease that one still holds."""
    ledger = _ledger(world)
    found = await _all_releases(ledger)
    standing = await ledger.holder(found[0].stack) if found else None
    await ledger.close()
    held = [standing.lease.holder] if standing else []
    return [each.id for each in found if each.is_open] + held


async def _all_releases(ledger: SqlLedger) -> list[Release]:
    return [each for target in TARGETS for each in await ledger.history(target, ALL)]


def _ledger(world: RealWorld) -> SqlLedger:
    return SqlLedger(LedgerSettings(url=SecretStr(world.environment[VARIABLE])))


async def _report(world: RealWorld, struck: list[Struck]) -> bool:
    ledger = _ledger(world)
    every = await _all_releases(ledger)
    releases = [each for each in every if each.kind is not Kind.ADOPTED]
    unproven = [each for each in releases if each.is_open or each.state not in PROVEN]
    left = await _left(world)
    ends = Counter(f"{each.state}: {Outcome(each).code}" for each in releases)
    _tell(f"{len(releases)} releases")
    for end, number in sorted(ends.items()):
        _tell(f"  {number:4} {end}")
    _tell(f"without a proven end: {len(unproven)}")
    for each in unproven:
        _tell(f"  {each.id}: {each.state}, {each.reason}")
    _tell(f"left behind: {', '.join(left) or 'nothing'}")
    await _tell_times(ledger, releases, struck)
    await world.close()
    await ledger.close()
    return not unproven and not left


async def _tell_times(ledger: SqlLedger, releases: list[Release], struck: list[Struck]) -> None:
    journals = {each.id: await ledger.journal(each.id) for each in releases}
    open_, changing = during(
        struck, [period(each, journals[each.id], time.time()) for each in releases]
    )
    _tell(f"{open_} blows fell while a release was open, {changing} between a pin and its end")
    found = firsts(one for each in releases for one in takeovers(each, journals[each.id]))
    found = [beside(each, journals.values()) for each in found]
    first = [(waited(each, struck), each) for each in found if not each.again]
    times = sorted((each for each in first if not math.isnan(each[0])), key=lambda each: each[0])
    looked = [observed(each, struck) for _, each in times]
    ended = [seconds + (each.ended or time.time()) - each.taken for seconds, each in times]
    _tell(f"taken over after all that it needs was back: {spread([each[0] for each in times])}")
    _tell(f"and observed: {spread([each for each in looked if not math.isnan(each)])}")
    _tell(f"and ended: {spread(ended)}")
    for seconds, each in times[-SLOWEST:]:
        _tell(f"  {each.release}: {seconds:.1f} s, at {each.taken:.1f}")
    _tell(f"taken over although nothing that it needs was struck: {len(first) - len(times)}")
    _tell(f"tried again because what runs could not be proven: {len(found) - len(first)}")


async def _left(world: RealWorld) -> list[str]:
    """What a release may not leave: a lease, an update, a journal that is not whole, a doubt."""
    ports, sink = await world.eyes(), await world.eyes(SINK)
    state, held = await ports.stack.state(), await ports.ledger.holder(str(ports.target.stack))
    _, flawed = await all_flaws(_ledger(world), await witnesses(ports))
    return [
        *([f"lease of {held.lease.holder}"] if held else []),
        *(["an update under way"] if state.busy else []),
        *([f"{state.pending_operations} pending operations"] if state.pending_operations else []),
        *map(str, flawed),
        *(await look_around(ports)).disagreements,
        *(await look_around(sink)).disagreements,
    ]


def _tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

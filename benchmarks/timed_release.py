"""A deploy with a clock at each of its ports: where its time goes, and what is Slipway's own.

`python -m benchmarks.timed_release TARGET COMMIT` deploys in its own process; a Prefect worker runs
`deploy` of this module, which is the product's flow with its clients timed.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import SOAK
from benchmarks.samples import Stopwatch
from blocks.clients import Shared
from blocks.loading import connected
from flows import deploy as product
from slipway.ports import Ports

TIMES = "SLIPWAY_BENCH_TIMES"
"""Names the file in which a release leaves its times."""
PORTS = ("source", "builder", "registry", "config", "stack", "cluster", "ledger")
Interval = tuple[str, float, float]
"""Port and method, and when it began and ended."""
WORK = {
    "builder.build": "build",
    "builder.push": "push",
    "stack.preview": "pulumi preview",
    "stack.up": "pulumi up",
    "cluster.health": "health",
}
"""What a person would wait for as well."""


class Timed:
    """A port that notes when its methods began and ended."""

    def __init__(self, name: str, port: object, note: Callable[[Interval], None]) -> None:
        self._name, self._port, self._note = name, port, note

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._port, method)
        if not callable(found):
            return found

        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.monotonic()
            result = found(*arguments, **named)
            what = f"{self._name}.{method}"
            if asyncio.iscoroutine(result):
                return self._awaited(what, began, result)
            if isinstance(result, contextlib.AbstractAsyncContextManager):
                return self._entered(what, began, result)
            return result

        return timed

    async def _awaited(self, what: str, began: float, result: Any) -> Any:
        try:
            return await result
        finally:
            self._note((what, began, time.monotonic()))

    @contextlib.asynccontextmanager
    async def _entered(self, what: str, began: float, context: Any) -> AsyncIterator[Any]:
        async with context as value:
            self._note((what, began, time.monotonic()))
            yield value


def timed_ports(ports: Ports, note: Callable[[Interval], None]) -> Ports:
    """The same ports, each with a clock."""
    timed: dict[str, Any] = {name: Timed(name, getattr(ports, name), note) for name in PORTS}
    return replace(ports, **timed)


def covered(intervals: Iterable[Interval]) -> float:
    """Seconds in which at least one of them was under way."""
    total, until = 0.0, float("-inf")
    for _, began, ended in sorted(intervals, key=lambda each: each[1]):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total


def parts_of(wall: float, soak: float, intervals: Iterable[Interval]) -> dict[str, float]:
    """Where the wall time went: what a person waits for too, the soak, and the rest, our own."""
    noted = [each for each in intervals if each[0] in WORK]
    parts = {
        name: covered(each for each in noted if WORK[each[0]] == name) for name in WORK.values()
    }
    return {**parts, "soak": soak, "own": wall - covered(before_soak(noted)) - soak}


def before_soak(noted: Iterable[Interval]) -> Iterator[Interval]:
    """Without the looks at health of the soak, which is counted whole: all but the first."""
    looked = False
    for each in sorted(noted, key=lambda each: each[1]):
        if each[0] != "cluster.health" or not looked:
            yield each
        looked = looked or each[0] == "cluster.health"


def own_by_port(intervals: Iterable[Interval], soak: float = 0.0) -> dict[str, float]:
    """Seconds in which each port's other methods, and neither work nor soak, were under way.

    Most first. The soak begins when a release's first look at health has ended.
    """
    noted = list(intervals)
    others = [each for each in noted if each[0] in WORK]
    health = [each[2] for each in others if each[0] == "cluster.health"]
    others += [("soak", min(health), min(health) + soak)] if health and soak else []
    found: dict[str, list[Interval]] = {}
    for each in noted:
        if each[0] not in WORK:
            found.setdefault(each[0].partition(".")[0], []).append(each)
    sums = {name: covered([*mine, *others]) - covered(others) for name, mine in found.items()}
    return dict(sorted(sums.items(), key=lambda each: -each[1]))


def peak_mib() -> float:
    """The most memory that this program has had; without what the fork before it had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


class Clock:
    """Runs from the release's begin to its end."""

    def __init__(self) -> None:
        self._watch = Stopwatch()
        self.intervals: list[Interval] = []

    def leave(self, path: str) -> None:
        """Write down what was noted."""
        taken = self._watch.sample()
        times = {
            "wall": taken.value,
            "cpu": taken.cpu,
            "peak": peak_mib(),
            "intervals": self.intervals,
        }
        Path(path).write_text(json.dumps(times))


@contextlib.asynccontextmanager
async def _timed_connected(name: str, shared: Shared | None = None) -> AsyncIterator[Ports]:
    """The registered target's ports with clocks, in place of the flow's own."""
    clock = Clock()
    async with connected(name, shared) as ports:
        try:
            yield timed_ports(_soaked(ports), clock.intervals.append)
        finally:
            clock.leave(os.environ[TIMES])


def _soaked(ports: Ports) -> Ports:
    return replace(ports, target=replace(ports.target, soak=SOAK))


if TIMES in os.environ and __name__ != "__main__":
    product.connected = _timed_connected  # type: ignore[attr-defined] # the flow's own name for it
deploy = product.deploy


def main() -> int:
    """Deploy a commit here, as `slipway deploy --local` does."""
    from slipway.cli.local_run import release_here  # noqa: PLC0415 - as the command line does
    from slipway.cli.session import Session  # noqa: PLC0415 - likewise
    from slipway.domain.release import Kind, Request, State  # noqa: PLC0415 - likewise

    session = Session(Path(os.environ["SLIPWAY_CONFIG"]))
    target, commit = sys.argv[1:]
    clock = Clock()
    ports = timed_ports(_soaked(session.ports(target)), clock.intervals.append)
    request = Request(Kind.DEPLOY, commit, "bench", why="bench")
    release = session.run(release_here(product.release, ports, request))
    clock.leave(os.environ[TIMES])
    print(f"{release.state}: {release.reason}")
    return 0 if release.state is State.LIVE else 1


def read_times(path: Path) -> Mapping[str, Any]:
    """What a release has left."""
    times: dict[str, Any] = json.loads(path.read_text())
    times["intervals"] = [tuple(each) for each in times["intervals"]]
    return times


if __name__ == "__main__":
    sys.exit(main())

"""P9: a whole deploy beside the same work by hand, and where its time goes."""

import re
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import SOAK
from benchmarks.prefect_runs import PrefectRuns
from benchmarks.rows import AtMost, Row
from benchmarks.samples import Sample, Series, in_turns, run, series, warm_up
from benchmarks.timed_release import TIMES, own_by_port, parts_of, read_times
from benchmarks.world import ADAPTER, PYTHON, ROOT, World

WALL = AtMost(1.10, "peer")
OVERHEAD = AtMost(2.0)
SCRIPT = Path(__file__).with_name("by_hand.sh")
_STEP = re.compile(r"^([a-z]+) ([0-9.]+)$", re.MULTILINE)
BY_HAND = {"up": "pulumi up", "preview": "pulumi preview"}
"""Steps of by_hand.sh that bear another name here."""


@dataclass
class Told:
    """What the runs of one side told beside their wall time."""

    parts: list[Mapping[str, float]] = field(default_factory=list)
    ports: list[Mapping[str, float]] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    waits: list[Sample] = field(default_factory=list)

    def add(self, wall: float, times: Mapping[str, Any]) -> None:
        """One run of ours."""
        self.parts.append(parts_of(wall, SOAK, times["intervals"]))
        self.ports.append(
            {f"own: {k}": v for k, v in own_by_port(times["intervals"], SOAK).items()}
        )
        self.peaks.append(times["peak"])

    @property
    def own(self) -> Series:
        """What is ours of each run."""
        return series(*(each["own"] for each in self.parts))

    @property
    def medians(self) -> dict[str, float]:
        """The median of every part."""
        return {**medians(self.parts), **medians(self.ports)}


async def measure(world: World, rounds: int) -> list[Row]:
    """Deploy by hand, by hand with proofs, with `--local`, and by a Prefect worker, in turns."""
    deploys = Deploys(world)
    sides = {
        "bare": lambda _: deploys.by_hand("bare"),
        "proven": lambda _: deploys.by_hand("proven"),
        "local": deploys.local,
        "prefect": deploys.prefect,
    }
    await warm_up(sides)
    deploys.told = {name: Told() for name in deploys.told}
    return rows(await in_turns(sides, rounds), deploys.told)


def rows(taken: Mapping[str, Series], told: Mapping[str, Told]) -> list[Row]:
    """The table's rows of what was taken and told."""
    proven, bare = taken["proven"], taken["bare"]
    note = "peer: by hand with the same proofs; limit: by hand without any"
    made = [
        Row("P9-by-hand", "deploy by hand, with proofs", "s", proven, parts=told["proven"].medians),
        Row("P9-bare", "deploy by hand, without proofs", "s", bare, parts=told["bare"].medians),
    ]
    for name, how in (("local", "slipway deploy --local"), ("prefect", "a Prefect run")):
        mine = told[name]
        wall = f"deploy as {how}, from the release's start"
        parts = mine.medians
        made += [
            Row(f"P9-{name}", wall, "s", taken[name], proven, bare, WALL, parts, note=note),
            Row(
                f"P9-{name}-own",
                f"Slipway's own part of it ({how})",
                "s",
                mine.own,
                promise=OVERHEAD,
            ),
            Row(
                f"P9-{name}-memory",
                f"peak memory of the process of {how}",
                "MiB",
                series(*mine.peaks),
                note="of that process alone: git and pulumi, which it starts, are not in it",
            ),
        ]
    before = "what a process takes around a release: interpreter, imports, the way out"
    return [
        *made,
        Row("P9-local-start", before, "s", Series(tuple(told["local"].waits))),
        Row(
            "P9-start",
            "from the request to the flow's start, by a worker",
            "s",
            Series(tuple(told["prefect"].waits)),
        ),
    ]


def medians(of: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each part over all runs; a part that a run lacks took it no time."""
    names = dict.fromkeys(name for each in of for name in each)
    return {name: statistics.median(each.get(name, 0.0) for each in of) for name in names}


def steps_of(output: str) -> dict[str, float]:
    """The steps that by_hand.sh told, those of one name together."""
    steps: dict[str, float] = {}
    for name, seconds in _STEP.findall(output):
        shown = BY_HAND.get(name, name)
        steps[shown] = steps.get(shown, 0.0) + float(seconds)
    return steps


class Deploys:
    """The four ways to deploy a new commit."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.runs = PrefectRuns(world)
        self.told = {name: Told() for name in ("bare", "proven", "local", "prefect")}

    async def by_hand(self, variant: str) -> Sample:
        """By the script, from a work tree at the commit."""
        commit = self.world.commit()
        done = run([SCRIPT, variant, self.world.tree, commit], self.world.by_hand())
        self.told[variant].parts.append(steps_of(done.output))
        return done.sample

    async def local(self, _: int) -> Sample:
        """In a process of its own, timed from the release's start."""
        times = self.world.box.folder("bench") / "local.json"
        words = [PYTHON, "-m", "benchmarks.timed_release", ADAPTER, self.world.commit()]
        whole = run(words, {**self.world.environment, TIMES: str(times)}, folder=ROOT).sample
        left = read_times(times)
        self.told["local"].add(left["wall"], left)
        around = Sample(whole.value - left["wall"], (whole.cpu or 0.0) - left["cpu"])
        self.told["local"].waits.append(around)
        return Sample(left["wall"], left["cpu"])

    async def prefect(self, _: int) -> Sample:
        """By the worker, timed by Prefect from the flow run's start to its end."""
        commit = self.world.commit()
        asked = time.time()
        ended = await self.runs.deploy(commit)
        wall = (ended.end - ended.start).total_seconds()
        self.told["prefect"].add(wall, ended.times)
        self.told["prefect"].waits.append(Sample(_since(ended.start, asked)))
        return Sample(wall, ended.times["cpu"])


def _since(moment: datetime, asked: float) -> float:
    return moment.timestamp() - asked

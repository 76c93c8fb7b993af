"""Every step of a release, every generic fault, every point, and what is left out with its reason.

The eight steps are those with effects outside that the fault matrix names for a release; the two of
the webhook (the inbox's commit, the flow run's start) come with it. `python -m
tests.simulation.matrix` prints the table that is committed as matrix.md.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.simulation.simulator import Result, quiet, simulate
from tests.simulation.story import (
    ADAPTER,
    SINK,
    Edit,
    Fault,
    Holder,
    Meanwhile,
    Orphan,
    Outage,
    Revoked,
    Start,
    Story,
    System,
    Timed,
    Trouble,
)

SEEDS = (0, 1, 2)
"""Alone; while another target of the stack is deployed; while the same target is."""


class Point(StrEnum):
    """Where a fault strikes."""

    BEFORE = "before"
    DONE = "done, reported failed"
    RECORDED = "after the record"


@dataclass(frozen=True, slots=True)
class Place:
    """A call: the effect's name, which of its calls, and before or after it."""

    effect: str
    nth: int
    moment: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step with an effect outside."""

    name: str
    commit: str
    before: Place
    done: Place
    recorded: Place | None
    kind: str
    """What answers: `engine`, `registry`, `esc`, `cli`, `cluster` or `database`."""

    def at(self, point: Point) -> Place | None:
        """Where a point of this step is."""
        return {
            Point.BEFORE: self.before,
            Point.DONE: self.done,
            Point.RECORDED: self.recorded,
        }[point]


def _step(
    name: str,
    effect: str,
    kind: str,
    recorded: str = "",
    nth: int = 1,
    commit: str = "second",
) -> Step:
    place = Place(recorded, 1, "after") if recorded else None
    return Step(
        name, commit, Place(effect, nth, "before"), Place(effect, nth, "after"), place, kind
    )


PUBLISHED = Place("ledger.record_published", 1, "after")
INSIDE_A_PUSH = Place("builder.manifest", 1, "before")
STEPS = (
    _step("build", "builder.build", "engine", "ledger.record_published"),
    Step(
        "blob push",
        "second",
        Place("builder.push", 1, "before"),
        INSIDE_A_PUSH,
        PUBLISHED,
        "registry",
    ),
    Step(
        "manifest push",
        "second",
        INSIDE_A_PUSH,
        Place("builder.push", 1, "after"),
        PUBLISHED,
        "registry",
    ),
    _step("ESC update", "config.write", "esc", "recorded pinned"),
    _step("pulumi up", "stack.up", "cli", "recorded applied"),
    _step("verify", "cluster.health", "cluster", "recorded live"),
    Step(
        "ledger commit",
        "second",
        Place("ledger.save", 5, "before"),
        Place("recorded pinning", 1, "after"),
        None,
        "database",
    ),
    _step("restore", "stack.up", "cli", "recorded restored", 2, "crashing"),
)


class Generic(StrEnum):
    """The generic faults, as the fault matrix names them."""

    KILL = "kill -9"
    SIGTERM = "SIGTERM"
    HANG = "hang until the timeout"
    REFUSED = "refused"
    RESET = "reset before the reply"
    RESET_MID = "reset in the reply"
    LIMITED = "429 + Retry-After"
    DOWN = "500/503"
    EXPIRED = "401/403"
    TRUNCATED = "truncated body"
    DISK_FULL = "disk full"
    CLOCK = "clock an hour ahead, or back"


OF_THE_PROCESS = {Generic.KILL, Generic.SIGTERM, Generic.CLOCK}
NO_REQUEST = "after the record no request is under way: the next step's own cell has it"
NOTHING_DONE = "this answer says that nothing was done"
READS = "reading has no effect that could be done and reported failed: the cell before has it"
NOT_YET = "there is no reply yet: the request has not been sent"
CHILD = "pulumi is a child whose end is seen, not a request whose answer is lost"
NO_HTTP = "the database speaks no HTTP"
LOCAL = "the engine is on a local socket, without limits and credentials"
NOT_OURS = "it writes nothing to a disk of ours"
NO_RECORD = "the commit is the record: the next step's own cell has it"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: what is done, or why it is left out."""

    step: Step
    fault: Generic
    point: Point
    does: tuple[Fault, ...] = ()
    why_not: str = ""

    @property
    def applies(self) -> bool:
        """Whether there is something to do."""
        return not self.why_not

    def story(self, seed: int) -> Story:
        """The cell's story with one of the seeds."""
        place = self.step.at(self.point)
        assert place is not None
        fault = self.does[seed % len(self.does)]
        trouble = Trouble("A", place.effect, place.nth, place.moment, fault)
        return Story(seed, (*company(self.step.commit, seed), trouble))


def company(commit: str, seed: int) -> tuple[Start, ...]:
    """Who else is there."""
    mine = Start(0.0, "A", "deploy", ADAPTER, commit)
    others = (
        (),
        (Start(1.0, "B", "deploy", SINK, "second"),),
        (Start(1.0, "B", "deploy", ADAPTER, "fifth"),),
    )
    return (mine, *others[seed % len(others)])


def cells() -> Iterator[Cell]:
    """All of them, in the order of the table."""
    for step in STEPS:
        for fault in Generic:
            for point in Point:
                does = _does(step, fault, point)
                if isinstance(does, str):
                    yield Cell(step, fault, point, why_not=does)
                else:
                    yield Cell(step, fault, point, does)


def _does(step: Step, fault: Generic, point: Point) -> tuple[Fault, ...] | str:
    if step.at(point) is None:
        return NO_RECORD
    if fault in OF_THE_PROCESS:
        return {
            Generic.KILL: (Fault.KILL, Fault.POWER),
            Generic.SIGTERM: (Fault.TERM,),
            Generic.CLOCK: (Fault.CLOCK, Fault.CLOCK_BACK),
        }[fault]
    if point is Point.RECORDED:
        return NO_REQUEST
    if point is Point.DONE:
        return _does_when_done(step, fault)
    return _does_before(step, fault)


def _does_before(step: Step, fault: Generic) -> tuple[Fault, ...] | str:
    if fault in {Generic.RESET_MID, Generic.TRUNCATED}:
        return NOT_YET
    if fault is Generic.DISK_FULL:
        return NOT_OURS if step.kind in {"esc", "cluster"} else (Fault.DISK_FULL,)
    if (why := _never_said(step, fault)) is not None:
        return why
    return {
        Generic.HANG: (Fault.HANGS,),
        Generic.REFUSED: (Fault.REFUSED,),
        Generic.RESET: (Fault.REFUSED,),
        Generic.LIMITED: (Fault.OVERLOADED,),
        Generic.DOWN: (Fault.DOWN,),
        Generic.EXPIRED: (Fault.DENIED,),
    }[fault]


def _does_when_done(step: Step, fault: Generic) -> tuple[Fault, ...] | str:
    if fault in {Generic.REFUSED, Generic.LIMITED, Generic.EXPIRED, Generic.DISK_FULL}:
        return NOTHING_DONE
    if step.kind == "cluster":
        return READS
    if step.kind == "cli":
        return (Fault.PULUMI_KILLED,) if fault is Generic.RESET else CHILD
    if (why := _never_said(step, fault)) is not None:
        return why
    return (Fault.LATE,) if fault is Generic.HANG else (Fault.LOST,)


def _never_said(step: Step, fault: Generic) -> str | None:
    if step.kind == "database" and fault in {Generic.LIMITED, Generic.DOWN, Generic.EXPIRED}:
        return NO_HTTP
    if step.kind == "database" and fault is Generic.TRUNCATED:
        return NO_HTTP
    if step.kind == "engine" and fault in {Generic.LIMITED, Generic.EXPIRED}:
        return LOCAL
    return None


class Scenario(StrEnum):
    """What else may happen, begun at every step."""

    RACE = "two deploys of one target race"
    OVERTAKEN = "a rollback is asked for during the deploy"
    EDITOR = "somebody edits another key of the ESC environment"
    OWN_KEY = "somebody edits this key"
    LIVE_LOCK = "somebody's live update holds the stack"
    DEAD_LOCK = "a dead run's update holds the stack"
    API_DOWN = "the API server is down for a minute"
    LEDGER_DOWN = "the ledger's database is restarted"
    REGISTRY_DOWN = "the registry answers 5xx for a minute"
    PULL_REFUSED = "pulls are answered 401 for a minute"
    CRASH_LOOP = "the image crashes, and the process is killed"
    STOPPED = "the process is stopped past its lease, then resumed"


ELSEWHERE = {
    "duplicate deliveries": "of the webhook",
    "pushes out of order": "of the webhook",
    "Prefect's API is down": "of the webhook, and of the real processes (the flows do without it)",
    "a pod is evicted in verify": "of the judge's own tests (tests/domain/test_rollout.py)",
}


def scenario_story(scenario: Scenario, step: Step, seed: int) -> Story:
    """One scenario, begun at one step."""
    crashing = scenario is Scenario.CRASH_LOOP or step.name == "restore"
    begins = step.before if step.name != "restore" else STEPS[-1].before
    starts = company("crashing" if crashing else step.commit, seed)
    fault = {Scenario.STOPPED: Fault.STOP, Scenario.CRASH_LOOP: Fault.KILL}.get(scenario)
    if fault is not None:
        place = Trouble("A", begins.effect, begins.nth, begins.moment, fault)
        return Story(seed, (*starts, place))
    event = _meanwhile(scenario)
    return Story(seed, (*starts, Meanwhile("A", begins.effect, begins.nth, begins.moment, event)))


def _meanwhile(scenario: Scenario) -> Timed:
    events: dict[Scenario, Timed] = {
        Scenario.RACE: Start(0, "C", "deploy", ADAPTER, "third"),
        Scenario.OVERTAKEN: Start(0, "C", "rollback", ADAPTER, "first"),
        Scenario.EDITOR: Edit(0, "otherKey", "theirs"),
        Scenario.OWN_KEY: Edit(0, "adapterImage", "ghcr.io/acme/shop/ls-triton-adapter:main"),
        Scenario.LIVE_LOCK: Holder(0, 60),
        Scenario.DEAD_LOCK: Orphan(0),
        Scenario.API_DOWN: Outage(System.CLUSTER, 0, 60),
        Scenario.LEDGER_DOWN: Outage(System.LEDGER, 0, 10),
        Scenario.REGISTRY_DOWN: Outage(System.REGISTRY, 0, 60),
        Scenario.PULL_REFUSED: Revoked(0, 60),
    }
    return events[scenario]


@functools.cache
def tell(story: Story) -> Result:
    """Simulate a story once: the tests look at each result, and the table shows it."""
    return simulate(story)


def end_of(result: Result) -> str:
    """How the release that was struck ended, in a word."""
    mine = next(each for each in result.ends if f" {ADAPTER}: " in each and " adopted " not in each)
    return mine.split(f" {ADAPTER}: ")[1].split(",")[0]


ABOUT = """\
Written by `python -m tests.simulation.matrix`; a test compares it. Each cell says how the release
that was struck has ended once the fault was over and recovery had run, with each of three seeds:
alone, while another target of the stack is deployed, while the same target is. A number is the
reason why a cell is left out.""".splitlines()


def table() -> str:
    """The whole matrix as markdown, with how each release ended."""
    reasons = list(dict.fromkeys(each.why_not for each in cells() if not each.applies))
    every = list(cells())
    applies = [each for each in every if each.applies]
    lines = [
        "# The fault matrix",
        "",
        *ABOUT,
        "",
        _counts(len(every), len(applies)),
        "",
    ]
    for point in Point:
        lines += [f"## {point.value.capitalize()}", "", *_grid(every, point, reasons), ""]
    lines += ["## Scenarios, begun before each step", "", *_scenarios(), ""]
    lines += ["## Why a cell is left out", ""]
    lines += [f"{number}. {why}" for number, why in enumerate(reasons, 1)]
    lines += ["", "Scenarios that belong elsewhere:", ""]
    lines += [f"- {name}: {where}" for name, where in ELSEWHERE.items()]
    return "\n".join(lines) + "\n"


def _counts(cells_: int, applies: int) -> str:
    return (
        f"{len(STEPS)} steps x {len(Generic)} faults x {len(Point)} points = {cells_} cells, "
        f"{applies} of them apply, each with {len(SEEDS)} seeds; {len(Scenario)} scenarios x "
        f"{len(STEPS)} steps."
    )


def _grid(every: list[Cell], point: Point, reasons: list[str]) -> Iterator[str]:
    yield _row("", *(each.name for each in STEPS))
    yield _row("---", *("---" for _ in STEPS))
    for fault in Generic:
        found = [each for each in every if (each.fault, each.point) == (fault, point)]
        yield _row(fault.value, *(_shown(each, reasons) for each in found))


def _scenarios() -> Iterator[str]:
    yield _row("", *(each.name for each in STEPS))
    yield _row("---", *("---" for _ in STEPS))
    for scenario in Scenario:
        ends = [
            _ends([tell(scenario_story(scenario, step, seed)) for seed in SEEDS]) for step in STEPS
        ]
        yield _row(scenario.value, *ends)


def _shown(cell: Cell, reasons: list[str]) -> str:
    if not cell.applies:
        return f"({reasons.index(cell.why_not) + 1})"
    return _ends([tell(cell.story(seed)) for seed in SEEDS])


def _ends(results: list[Result]) -> str:
    return ", ".join(dict.fromkeys(map(end_of, results)))


def _row(*texts: str) -> str:
    return f"| {' | '.join(texts)} |"


if __name__ == "__main__":
    with quiet():
        print(table(), end="")  # noqa: T201 - a command

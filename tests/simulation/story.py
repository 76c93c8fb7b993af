"""A story: who starts what when, and which faults strike where. Plain data, made from a seed."""

from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

ADAPTER, SINK = "ls-triton-adapter-prod", "annotations-sink-prod"
COMMITS = {
    ADAPTER: ("second", "third", "fourth", "crashing", "sick", "stuck", "dying", "fifth"),
    SINK: ("second", "third", "crashed-sink", "fourth", "stuck-sink", "fifth"),
}
"""What a story may deploy at each target."""


class Fault(StrEnum):
    """What strikes a process at one of its calls."""

    KILL = "killed (SIGKILL), its pulumi is interrupted by the kernel"
    POWER = "its machine stops, pulumi with it"
    STOP = "stopped (SIGSTOP) and resumed past its lease"
    TERM = "cancelled (SIGTERM), and killed 30 s later"
    REFUSED = "connection refused"
    LOST = "the effect happens, its answer is lost"
    LATE = "the effect happens, its answer hangs until the timeout"
    OVERLOADED = "429 twice, with Retry-After"
    DOWN = "503 for a minute"
    DENIED = "401: its credentials have expired"
    HANGS = "hangs until its timeout"
    DISK_FULL = "no space left on device"
    PULUMI_KILLED = "pulumi is killed, the process is not"
    PULUMI_HANGS = "pulumi does not end when it is interrupted"
    CLOCK = "the ledger's clock jumps an hour ahead"
    CLOCK_BACK = "the ledger's clock jumps an hour back"


class System(StrEnum):
    """What can be gone for a while: the first part of the name of its effects."""

    SOURCE = "source"
    REGISTRY = "registry"
    BUILDER = "builder"
    CONFIG = "config"
    STACK = "stack"
    CLUSTER = "cluster"
    LEDGER = "ledger"


@dataclass(frozen=True, slots=True)
class Start:
    """Somebody starts a process: `deploy`, `rollback` or `recover`."""

    at: float
    name: str
    what: str
    target: str
    wanted: str = ""

    def __str__(self) -> str:
        return f"at {self.at:g} s: {self.name} starts: {self.what} {self.wanted} at {self.target}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault at the nth call of one kind of effect by one process."""

    who: str
    effect: str
    nth: int
    moment: str
    """`before` or `after` the effect."""
    fault: Fault

    def __str__(self) -> str:
        return f"{self.moment} call {self.nth} of {self.effect} by {self.who}: {self.fault}"


@dataclass(frozen=True, slots=True)
class Outage:
    """A system does not answer for a while."""

    system: System
    at: float
    seconds: float

    def __str__(self) -> str:
        return f"at {self.at:g} s: {self.system} does not answer for {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Edit:
    """Somebody edits the ESC environment by hand."""

    at: float
    key: str
    value: str

    def __str__(self) -> str:
        return f"at {self.at:g} s: somebody sets {self.key} to {self.value} in ESC"


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody's live update holds the stack, and changes nothing here."""

    at: float
    seconds: float

    def __str__(self) -> str:
        return f"at {self.at:g} s: somebody's update holds the stack for {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Revoked:
    """The cluster's pull credentials are rejected for a while."""

    at: float
    seconds: float

    def __str__(self) -> str:
        return f"at {self.at:g} s: pulls are answered 401 for {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Orphan:
    """An update of a run that is dead holds the stack until Pulumi's lease runs out."""

    at: float

    def __str__(self) -> str:
        return f"at {self.at:g} s: the update of a dead run holds the stack for five minutes"


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Something else happens at a process's nth call of an effect."""

    who: str
    effect: str
    nth: int
    moment: str
    event: Start | Outage | Edit | Holder | Revoked | Orphan

    def __str__(self) -> str:
        what = str(self.event).partition(": ")[2]
        return f"{self.moment} call {self.nth} of {self.effect} by {self.who}: {what}"


Timed = Start | Outage | Edit | Holder | Revoked | Orphan
"""What happens at a time."""
Placed = Trouble | Meanwhile
"""What happens at a call."""
Event = Timed | Placed


@dataclass(frozen=True, slots=True)
class Story:
    """One run of the simulation; the seed also decides how long each call takes."""

    seed: int
    events: tuple[Event, ...]

    def without(self, dropped: Event) -> "Story":
        """The same story with one event less."""
        return replace(self, events=tuple(each for each in self.events if each != dropped))

    @property
    def starts(self) -> list[Start]:
        """Who starts, in order of time."""
        return sorted(
            (each for each in self.events if isinstance(each, Start)), key=lambda each: each.at
        )

    def __str__(self) -> str:
        return "\n".join(f"  {each}" for each in sorted(self.events, key=_order))


PLACES = (
    ("ledger.open", 1),
    ("source.fetch", 1),
    ("registry.find", 6),
    ("builder.build", 1),
    ("builder.push", 1),
    ("ledger.record_published", 1),
    ("ledger.acquire", 3),
    ("ledger.unfinished", 2),
    ("ledger.renew", 3),
    ("ledger.save", 12),
    ("ledger.give_back", 1),
    ("stack.state", 8),
    ("stack.preview", 2),
    ("config.read", 4),
    ("config.write", 2),
    ("config.write", 2),
    ("stack.up", 2),
    ("stack.up", 1),
    ("stack.refresh", 1),
    ("cluster.observe", 20),
    ("cluster.health", 4),
    ("registry.tag", 1),
)
"""Where trouble may strike: an effect, and up to which call of it. Dearer places stand twice."""

ANYWHERE = (Fault.KILL, Fault.KILL, Fault.POWER, Fault.STOP, Fault.TERM, Fault.TERM, Fault.CLOCK)
ON_A_CALL = (Fault.REFUSED, Fault.LOST, Fault.DOWN, Fault.HANGS, Fault.DENIED, Fault.OVERLOADED)


def story_of(seed: int) -> Story:
    """The story of a seed: two to four processes, two to six faults."""
    random = Random(seed)  # noqa: S311 - a story, not a secret
    starts = [_start(random, "ABCD"[number]) for number in range(random.choice((1, 2, 2, 3, 4)))]
    starts[0] = replace(starts[0], at=0.0)
    if random.random() < 0.3:
        at = round(random.uniform(5, 120), 1)
        starts.append(Start(at, "R", "recover", random.choice((ADAPTER, SINK))))
    names = [each.name for each in starts]
    faults: list[Event] = [_trouble(random, random.choice(names)) for _ in range(2)]
    faults.extend(_fault(random, names) for _ in range(random.randint(1, 4)))
    return Story(seed, (*starts, *dict.fromkeys(faults)))


def _start(random: Random, name: str) -> Start:
    at = round(random.choice((random.uniform(0, 5), random.uniform(0, 60))), 1)
    target = random.choice((ADAPTER, ADAPTER, SINK))
    if random.random() < 0.25:
        return Start(at, name, "rollback", target, random.choice(("previous", "first")))
    place = min(int(random.expovariate(0.45)), len(COMMITS[target]) - 1)
    return Start(at, name, "deploy", target, COMMITS[target][place])


def _fault(random: Random, names: list[str]) -> Event:
    dice = random.random()
    at = round(random.uniform(0, 40), 1)
    if dice < 0.7:
        return _trouble(random, random.choice(names))
    if dice < 0.82:
        return Outage(random.choice(list(System)), at, round(random.uniform(2, 200), 0))
    if dice < 0.90:
        return Edit(at, "otherKey", f"edit-{at:g}")
    if dice < 0.97:
        return Holder(at, round(random.uniform(5, 120), 0))
    return Revoked(at, round(random.uniform(5, 60), 0))


def _trouble(random: Random, who: str) -> Trouble:
    effect, last = random.choice(PLACES)
    nth = min(random.randint(1, last), random.randint(1, last))
    moment = random.choice(("before", "after"))
    fault = random.choice(ANYWHERE if random.random() < 0.6 else ON_A_CALL)
    if effect == "stack.up" and random.random() < 0.2:
        fault = random.choice((Fault.PULUMI_KILLED, Fault.PULUMI_HANGS))
    if fault in ON_A_CALL:
        moment = "after" if fault is Fault.LOST else "before"
    return Trouble(who, effect, nth, moment, fault)


def _order(event: Event) -> tuple[int, float]:
    if isinstance(event, Start):
        return 0, event.at
    return (1, 0.0) if isinstance(event, Placed) else (2, event.at)

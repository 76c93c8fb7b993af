"""A story: who starts what when, and which faults strike where. Plain data."""

from dataclasses import dataclass, replace
from enum import StrEnum

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


class Says(StrEnum):
    """How somebody asks for a release."""

    WHY = ""
    NOTHING = "without a reason"
    INSISTS = "even if the commit is vetoed"


class System(StrEnum):
    """What can be gone for a while: the first part of the name of its effects."""

    SOURCE = "source"
    REGISTRY = "registry"
    BUILDER = "builder"
    CONFIG = "config"
    STACK = "stack"
    CLUSTER = "cluster"
    LEDGER = "ledger"
    PREFECT = "prefect"


@dataclass(frozen=True, slots=True)
class Start:
    """A process starts: `deploy`, `rollback`, `recover`, or `automatic`, a program's deploy."""

    at: float
    name: str
    what: str
    target: str
    wanted: str = ""
    says: Says = Says.WHY

    def __str__(self) -> str:
        how = f", {self.says}" if self.says else ""
        what = f"{self.what} {self.wanted} at {self.target}{how}"
        return f"at {self.at:g} s: {self.name} starts: {what}"


@dataclass(frozen=True, slots=True)
class Pushed:
    """GitHub tells the webhook that a commit was pushed; its runs are `G1`, `G2` and so on."""

    at: float
    commit: str

    def __str__(self) -> str:
        return f"at {self.at:g} s: the webhook is told of a push of {self.commit}"


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody pauses automation at a target, for good or for so long."""

    at: float
    target: str
    seconds: float | None = None

    def __str__(self) -> str:
        until = f" for {self.seconds:g} s" if self.seconds is not None else ""
        return f"at {self.at:g} s: somebody holds {self.target}{until}"


@dataclass(frozen=True, slots=True)
class HoldsEnded:
    """Somebody ends every hold of a target."""

    at: float
    target: str

    def __str__(self) -> str:
        return f"at {self.at:g} s: somebody ends the holds of {self.target}"


@dataclass(frozen=True, slots=True)
class Vetoed:
    """Somebody forbids automation a commit at a target, or allows it again."""

    at: float
    target: str
    commit: str
    lifted: bool = False

    def __str__(self) -> str:
        does = "ends the veto of" if self.lifted else "vetoes"
        return f"at {self.at:g} s: somebody {does} {self.commit} at {self.target}"


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
    event: "Timed"

    def __str__(self) -> str:
        what = str(self.event).partition(": ")[2]
        return f"{self.moment} call {self.nth} of {self.effect} by {self.who}: {what}"


ByHand = Held | HoldsEnded | Vetoed
"""What somebody says to automation."""
Asked = Start | Pushed | ByHand
"""What somebody does in good order: no fault."""
Wrong = Outage | Edit | Holder | Revoked | Orphan
"""What goes wrong at a time."""
Timed = Asked | Wrong
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


def _order(event: Event) -> tuple[int, float]:
    if isinstance(event, Start):
        return 0, event.at
    return (1, 0.0) if isinstance(event, Placed) else (2, event.at)

"""A delivery: one request of GitHub's to the webhook, and what became of it at each target."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from slipway.domain.commit import Commit
from slipway.domain.shown import one_line

WORKFLOW_RUN = "workflow_run"
"""The event by which a workflow says that it has pushed an image."""


NOT_ON_LINE = "not-on-main-line"
"""The code of a push whose commit is not, or not yet, on the branch."""


class Outcome(StrEnum):
    """How a delivery ended; at each target exactly one."""

    STARTED = "started"
    SUPERSEDED = "superseded"
    UNCHANGED = "no effective change"
    HELD = "held"
    REFUSED = "refused"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Push:
    """A branch that moved, or the commit of it that a workflow has built."""

    branch: str
    before: Commit | None
    """Where the branch was; None when the push made it, or where that is not told."""
    after: Commit


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is kept of a request whose signature was good."""

    id: str
    """GitHub's own id, which a redelivery repeats."""
    digest: str
    """Of the raw body, its verified signature: the same under another id is a replay."""
    event: str
    repository: str
    """`owner/name`; empty for events of no repository."""
    sender: str
    push: Push | None = None
    targets: tuple[str, ...] = ()
    """Where the push may have to be deployed; with none, `ignored` says why nothing happens."""
    ignored: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ignored", one_line(self.ignored))


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a delivery is on disk."""

    delivery: str
    """The id under which it is kept: the first one, when it was received before."""
    is_new: bool
    ignored: str
    """Why nothing happens; empty when something may."""


@dataclass(frozen=True, slots=True)
class PushAt:
    """A delivered push, at one target where it may have to be deployed."""

    number: int
    """Grows in the order in which deliveries were received."""
    delivery: str
    target: str
    event: str
    repository: str
    sender: str
    push: Push


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a delivery at a target, and why."""

    outcome: Outcome
    reason: str
    run: str = ""
    """The Prefect run that was started, or that does what was asked for.

    At a held target it publishes the image, and ends held.
    """

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", one_line(self.reason))


@dataclass(frozen=True, slots=True)
class ReceivedPush:
    """A push that was received for a target, and how it ended there; None while it waits."""

    push: PushAt
    ending: Ending | None

    @property
    def never_arrived(self) -> bool:
        """Whether git has not shown its commit on the branch: nothing was decided about it."""
        return self.ending is not None and self.ending.reason.startswith(NOT_ON_LINE)


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that a delivery has started at a target."""

    push: PushAt
    run: str
    started: datetime
    attempt: int = 1
    """The how-many-eth run it is for this; those before it were lost with their workers."""

    @property
    def commit(self) -> Commit:
        """What it deploys."""
        return self.push.push.after


@dataclass(frozen=True, slots=True)
class IntendedStart:
    """A run that Prefect is about to be asked for: whether it was made is in doubt until known."""

    push: PushAt
    key: str
    """By which Prefect takes every request for the same run."""
    lost: StartedRun | None = None
    """The run whose place it is to take."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that has no outcome at a target yet."""

    push: PushAt
    seconds: float
    """How long ago it was received."""
    why: str
    """What it waits for, as far as somebody has said so."""


@dataclass(frozen=True, slots=True)
class AtTarget:
    """Where a delivery stands at one target; without an ending `waits_for` may say what for."""

    target: str
    ending: Ending | None
    waits_for: str = ""


@dataclass(frozen=True, slots=True)
class ReceivedDelivery:
    """A delivery as people look it up."""

    delivery: Delivery
    received: datetime
    at: tuple[AtTarget, ...] = ()

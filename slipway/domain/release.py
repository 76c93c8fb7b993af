"""A release: one attempt to make one image live at one target, and the states it goes through.

The phases are committed to the ledger before the effect they name, so that whoever finds an
unfinished release knows what may have happened:

    opened → resolved → published → decided → pinning → pinned → applying → applied
                                                  └────────┴─────────┴─────────┴──→ restoring
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from slipway.domain.commit import Commit
from slipway.domain.image import Digest
from slipway.domain.journal import Head
from slipway.domain.process import ProcessIdentity
from slipway.domain.target import Allowance
from slipway.errors import InvalidTransition, SlipwayError

PREVIOUS = "previous"
"""What a rollback may ask for instead of a commit: the last one proven live before."""


class Kind(StrEnum):
    """Why there is a release."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    ADOPTED = "adopted"


class State(StrEnum):
    """Where a release stands; the last four are ends."""

    RELEASING = "releasing"
    RESTORING = "restoring"
    LIVE = "live"
    RESTORED = "restored"
    REFUSED = "refused"
    NEEDS_ATTENTION = "needs attention"

    @property
    def is_end(self) -> bool:
        """Whether nothing more happens to a release in this state."""
        return self not in {State.RELEASING, State.RESTORING}


class Phase(StrEnum):
    """The last thing that a release may have begun, in this order."""

    OPENED = "opened"
    RESOLVED = "resolved"
    PUBLISHED = "published"
    DECIDED = "decided"
    PINNING = "pinning"
    PINNED = "pinned"
    APPLYING = "applying"
    APPLIED = "applied"

    def reached(self, other: "Phase") -> bool:
        """Whether this phase is `other` or a later one."""
        order = list(Phase)
        return order.index(self) >= order.index(other)


_ALLOWED = {
    State.RELEASING: {
        State.RELEASING,
        State.RESTORING,
        State.LIVE,
        State.REFUSED,
        State.NEEDS_ATTENTION,
    },
    State.RESTORING: {State.RESTORING, State.LIVE, State.RESTORED, State.NEEDS_ATTENTION},
    # What could not be proven at the time may be proven by recovery later.
    State.NEEDS_ATTENTION: {State.RESTORING, State.LIVE, State.RESTORED, State.NEEDS_ATTENTION},
}


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was there before a release changed anything. Absence is a baseline too.

    `config_value` is the key's text at `config_revision`, None where there was no key;
    `recorded_image` is Pulumi's, `spec_image` the pod template's, `running` what the pods ran and
    `ready` how many were ready. `way_back` is what a restore writes into the key, None when the key
    goes away again or there is none.
    """

    config_revision: int
    config_etag: str
    config_value: str | None
    recorded_image: str | None
    spec_image: str | None
    running: Digest | None
    ready: int
    accepted: frozenset[Digest] = frozenset()
    """Every digest by which a runtime may report the image that was running."""
    way_back: str | None = None
    program: Commit | None = None
    """The commit whose program a restore applies."""
    last_update: int = 0
    """The version of the stack's last update when this was recorded; 0 = never updated."""
    urn: str = ""
    """The Deployment's URN in the stack; empty when the stack has none yet."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a person allowed beyond the rules, each recorded with the release."""

    first: bool = False
    """A first-ever key or Deployment may be made."""
    adopt_image: bool = False
    """An image without our labels may be deployed."""
    no_way_back: bool = False
    """There may be nothing to restore to."""
    only_image: bool = False
    """A rollback may update its own Deployment only, past somebody else's half-done change."""
    allow_changes: tuple[Allowance, ...] = ()
    even_if_vetoed: str = ""
    """Why a vetoed commit may be deployed all the same."""


@dataclass(frozen=True, slots=True)
class Request:
    """Who wants what, as it was asked for."""

    kind: Kind
    wanted: str
    """A commit or its prefix, or `PREVIOUS` for a rollback."""
    requested_by: str
    why: str = ""
    """The reason a person gave; a rollback must have one."""
    options: Options = Options()
    automatic: bool = False
    prefect_run: str = ""
    """The Prefect flow run's id; empty without Prefect."""


@dataclass(frozen=True, slots=True)
class Release:
    """One row of the ledger."""

    id: str
    target: str
    stack: str
    request: Request
    started: datetime
    state: State = State.RELEASING
    phase: Phase = Phase.OPENED
    reason: str = ""
    """A code, a colon and a sentence, once it has ended."""
    commit: Commit | None = None
    digest: Digest | None = None
    image: str = ""
    """The string that is pinned: `repository:commit@digest`."""
    accepted: frozenset[Digest] = frozenset()
    program: Commit | None = None
    """The commit whose Pulumi program is applied."""
    baseline: Baseline | None = None
    esc_revision: int | None = None
    update_version: int | None = None
    previous_digest: Digest | None = None
    fence: int = 0
    ended: datetime | None = None
    live_since: datetime | None = None
    """When it was proven live; kept for ever, it orders the ways back."""
    unproven: bool = False
    """The end is honest but not final: what runs could not be measured, so recovery goes on."""
    notes: tuple[str, ...] = ()
    """What was seen and reported without deciding anything."""
    worker: ProcessIdentity | None = None
    """The process that works on it, or did last."""
    engine: ProcessIdentity | None = None
    """Its newest `pulumi`, from when it was seen to start; None while that is not known."""
    journal: Head = field(default=Head(), compare=False)
    """Where its journal ends, as of this copy; no part of what the release is."""

    @property
    def kind(self) -> Kind:
        """Why there is this release."""
        return self.request.kind

    @property
    def is_open(self) -> bool:
        """Whether it has no end, or one that recovery may still better."""
        return self.unproven or not self.state.is_end

    @property
    def stays(self) -> bool:
        """Whether it is left where it fails: a rollback from what was not healthy itself."""
        baseline = self.baseline
        return self.kind is Kind.ROLLBACK and baseline is not None and baseline.running is None

    def at(self, phase: Phase) -> Self:
        """The same release, about to do what `phase` names.

        It goes back from one place only: ESC has refused the pin, so nothing was changed, and the
        release decides again. Going back from anywhere else is a defect.
        """
        if self.state.is_end:
            raise InvalidTransition(
                f"release {self.id} has ended {self.state} and can't do {phase}: report this defect"
            )
        again = (self.phase, phase) == (Phase.PINNING, Phase.DECIDED)
        if not again and not phase.reached(self.phase):
            raise InvalidTransition(
                f"release {self.id} has begun {self.phase} and can't go back to {phase}: report "
                "this defect"
            )
        return replace(self, phase=phase)

    def to(self, state: State, reason: str = "") -> Self:
        """The same release in another state."""
        if state not in _ALLOWED.get(self.state, set()):
            raise InvalidTransition(
                f"release {self.id} is {self.state} and can't become {state}: report this defect"
            )
        return replace(self, state=state, reason=reason or self.reason)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a release ended, for whoever asked for it."""

    release: Release

    @property
    def state(self) -> State:
        """The end."""
        return self.release.state

    @property
    def code(self) -> str:
        """The reason's first word."""
        return code_of(self.release.reason)


def code_of(reason: str) -> str:
    """The code of a reason."""
    return reason.partition(":")[0]


def reason(error: SlipwayError) -> str:
    """An error as a release's reason: its code and its sentence."""
    return f"{error.code}: {error}"

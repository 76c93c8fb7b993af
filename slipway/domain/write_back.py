"""What is told back to the code host of a commit: its status at a target, and deployments there.

A code host shows descriptions to everybody who may read the repository: they hold no more than a
release's reason.
"""

from dataclasses import dataclass
from enum import StrEnum

from slipway.domain.delivery import Ending, Outcome
from slipway.domain.redaction import redacted
from slipway.domain.release import Phase, Release, State, code_of

LONGEST = 140
"""Characters of a description that GitHub takes."""


class CommitState(StrEnum):
    """GitHub's states of a commit; there is none for what is neither good nor bad."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


REFUSALS = {"superseded": CommitState.SUCCESS, "held": CommitState.PENDING}
"""What refusals that are no failure make of a commit: held, it may still be deployed."""
ENDS = {Outcome.REFUSED: CommitState.FAILURE, Outcome.HELD: CommitState.PENDING}
"""What deliveries that start nothing make of their commit, where it is no success."""


class DeploymentState(StrEnum):
    """GitHub's states of a deployment, as far as they are used."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """What a commit is at one target."""

    target: str
    state: CommitState
    description: str
    link: str = ""
    """Where more is told; empty for nowhere."""

    @property
    def context(self) -> str:
        """What tells it from other statuses of the same commit."""
        return f"slipway/{self.target}"


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """How far a deployment is."""

    state: DeploymentState
    description: str
    link: str = ""


def commit_status(release: Release, link: str = "") -> CommitStatus:
    """What a release's state makes of its commit."""
    state = {
        State.LIVE: CommitState.SUCCESS,
        State.RESTORED: CommitState.FAILURE,
        State.REFUSED: REFUSALS.get(code_of(release.reason), CommitState.FAILURE),
        State.NEEDS_ATTENTION: CommitState.ERROR,
    }.get(release.state, CommitState.PENDING)
    return CommitStatus(release.target, state, _described(release), link)


def deployment_status(release: Release, link: str = "") -> DeploymentStatus:
    """How far the release is, as a deployment."""
    waits = release.state is State.RELEASING and not release.phase.reached(Phase.DECIDED)
    state = {
        State.RELEASING: DeploymentState.QUEUED if waits else DeploymentState.IN_PROGRESS,
        State.RESTORING: DeploymentState.IN_PROGRESS,
        State.LIVE: DeploymentState.SUCCESS,
        State.RESTORED: DeploymentState.FAILURE,
        State.REFUSED: DeploymentState.INACTIVE
        if _is_harmless(release)
        else DeploymentState.FAILURE,
        State.NEEDS_ATTENTION: DeploymentState.ERROR,
    }[release.state]
    return DeploymentStatus(state, _described(release), link)


def delivery_status(target: str, ending: Ending, link: str = "") -> CommitStatus | None:
    """What a delivery's end makes of its commit; None where a run tells of it, or nothing does."""
    if ending.outcome in {Outcome.STARTED, Outcome.IGNORED} or ending.run:
        return None
    state = ENDS.get(ending.outcome, CommitState.SUCCESS)
    return CommitStatus(target, state, short(f"{ending.outcome}: {ending.reason}"), link)


def short(text: str) -> str:
    """A description as GitHub takes it: one line, without credentials, not too long."""
    line = " ".join(redacted(text).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _is_harmless(release: Release) -> bool:
    return code_of(release.reason) in REFUSALS


def _described(release: Release) -> str:
    if release.state is State.RELEASING:
        return short(f"{release.kind} by {release.request.requested_by}: {release.phase}")
    return short(f"{release.state}: {release.reason}")

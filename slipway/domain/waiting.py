"""Who waits for a stack's lease, in the order in which the releases were asked for."""

from dataclasses import dataclass

from slipway.domain.commit import Commit
from slipway.domain.release import Kind


@dataclass(frozen=True, slots=True)
class Waiter:
    """A release in the line of its stack: the one that holds the lease stays in it to its end."""

    release: str
    stack: str
    target: str
    kind: Kind
    commit: Commit | None
    place: int
    """Grows with the order of request; not dense."""
    asked_to_end: str = ""
    """Why somebody has asked this release to end; empty while nobody has."""

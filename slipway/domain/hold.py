"""Holds and vetoes: what automation must not do at a target, and who said so.

A hold pauses automation at a target; a veto forbids automation one commit there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from slipway.domain.commit import Commit
from slipway.domain.image import Digest


@dataclass(frozen=True, slots=True)
class NewHold:
    """A hold to be placed. `about` is the commit it keeps away: a newer one may lift it."""

    reason: str
    by: str
    until: datetime | None = None
    about: Commit | None = None


@dataclass(frozen=True, slots=True)
class NewVeto:
    """A veto to be placed."""

    commit: Commit
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Lift:
    """A hold that a release ends by becoming live, who does, and why."""

    number: int
    by: str
    why: str


Restriction = NewHold | NewVeto | Lift
"""What the save of a release may change of what automation must not do at its target."""


@dataclass(frozen=True, slots=True)
class Lifted:
    """How a hold or a veto ended before its time."""

    at: datetime
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Automation paused at a target, until somebody lifts it or its time is over."""

    number: int
    target: str
    reason: str
    by: str
    since: datetime
    until: datetime | None = None
    about: Commit | None = None
    release: str = ""
    """The release that left it; empty when a person placed it by hand."""
    lifted: Lifted | None = None

    def stands(self, now: datetime) -> bool:
        """Whether automation is paused by it."""
        return self.lifted is None and (self.until is None or self.until > now)


@dataclass(frozen=True, slots=True)
class Veto:
    """A commit that automation must not deploy at a target, until somebody lifts it."""

    number: int
    target: str
    commit: Commit
    reason: str
    by: str
    since: datetime
    release: str = ""
    lifted: Lifted | None = None


@dataclass(frozen=True, slots=True)
class Barred:
    """What the vetoes of a target keep away: commits, and their images under any commit's name."""

    commits: frozenset[Commit] = frozenset()
    images: Mapping[Digest, Commit] = field(default_factory=dict)
    """Each with the vetoed commit whose image it is."""

    def bars(self, commit: Commit | None, digest: Digest | None) -> bool:
        """Whether a commit, or the image that it has, is kept away."""
        return commit in self.commits or digest in self.images

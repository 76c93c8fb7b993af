"""The ledger: releases, who may change a stack, and what automation must not do."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from slipway.domain.finding import Changes, Judged, RecordedFinding
from slipway.domain.hold import Hold, NewHold, NewVeto, Restriction, Veto
from slipway.domain.image import Digest, ImageReference, RecordedTag, Refusal
from slipway.domain.journal import Chain, JournalEntry, Note
from slipway.domain.process import ProcessIdentity
from slipway.domain.release import Release, Request
from slipway.domain.takeover import Takeover
from slipway.domain.target import Target
from slipway.domain.waiting import Waiter

ALL = 2**31 - 1
"""A limit that is none: more than a ledger ever holds, and still a number for every database."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may change a stack now; `fence` only grows."""

    stack: str
    holder: str
    fence: int


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease now."""

    lease: Lease
    until: datetime
    process: ProcessIdentity | None = None
    """None where it could not be told what process it is."""


@dataclass(frozen=True, slots=True)
class LeftOpen:
    """A release that stands open, and the lease of its stack."""

    release: Release
    fence: int
    """The lease's: it grows whenever somebody takes it; 0 where nobody has."""
    holder: Holder | None = None
    """Who holds it now, None for nobody."""


class Releases(Protocol):
    """Every release and its journal."""

    async def open(self, target: Target, request: Request) -> Release:
        """A new release, in state `releasing`, phase `opened`."""

    async def save(self, release: Release, *entries: Note | Restriction) -> Release:
        """Record the release as it now is; sets `ended` and `live_since` by the ledger's clock.

        `live_since` only grows at a target, also where that clock is set back: it orders the ways
        back.

        What changed is journaled, and `entries` after it, all in one transaction; a hold or a veto
        among them stands from then on, and what is lifted no longer. `LeaseLost` when a holder with
        a higher fence has taken over the row, or the stack's lease. `ReleaseChanged` when this copy
        has a higher fence than the row and does not know all of its journal: a takeover overwrites
        nothing it has not read.
        """

    async def adopt(
        self, target: Target, image: ImageReference, accepted: frozenset[Digest]
    ) -> Release:
        """Record what was found running at first contact, as an `adopted` release that is live."""

    async def find(self, release: str) -> Release | None:
        """The release of this id, or None."""

    async def history(self, target: str, limit: int = ALL) -> Sequence[Release]:
        """The target's releases, newest first: all of them unless a limit is given."""

    async def unfinished(self, stack: str) -> Sequence[Release]:
        """Releases of the stack without an end, and those that are `unproven`; oldest first."""

    async def left_open(self) -> Sequence[LeftOpen]:
        """What stands open in the whole ledger, oldest first; most of it is at work."""

    async def elsewhere(self, repository: str, targets: Collection[str]) -> Sequence[Release]:
        """Releases with an image of the repository at any other target than these, newest first.

        Those that went live, and those that stand open. Whoever has left slipway.toml, or is
        registered by another one, has them still.
        """

    async def journal(self, release: str) -> Sequence[JournalEntry]:
        """Every entry of a release's journal, oldest first."""

    async def first_tried(self, target: str, step: str, since: datetime) -> Mapping[str, datetime]:
        """When the target's releases that ended since then first tried a step; by their ids."""


class Leases(Protocol):
    """Who may change a stack now, and who waits for it."""

    async def acquire(
        self, stack: str, holder: str, seconds: float, process: ProcessIdentity | None = None
    ) -> Lease | None:
        """Take the stack's lease if nobody holds it or it ran out; None otherwise.

        The process is told in the same moment, so that there is none in which it could die unknown.
        """

    async def renew(self, lease: Lease, seconds: float) -> None:
        """Hold on to the lease; `LeaseLost` when it is somebody else's."""

    async def give_back(self, lease: Lease) -> None:
        """End the lease; nothing happens when it is not ours any more."""

    async def holder(self, stack: str) -> Holder | None:
        """Who holds the stack's lease, None for nobody."""

    async def stand_in_line(self, release: Release, seconds: float) -> Sequence[Waiter]:
        """Be in the line of the release's stack for so long; everybody in it, in order of request.

        Repeated, it stays where it was. Whoever does not repeat it in time is left out.
        """

    async def leave_line(self, release: str) -> None:
        """Be in no line any more; nothing happens when the release is in none."""

    async def ask_to_end(self, release: str, why: str) -> bool:
        """Ask a release to end; False when it stands in no line. The first `why` stays."""


class Restrictions(Protocol):
    """Holds and vetoes: what automation must not do at a target."""

    async def place_hold(self, target: str, hold: NewHold) -> Hold:
        """Pause automation at a target."""

    async def holds(self, target: str, *, ever: bool = False) -> Sequence[Hold]:
        """Holds that stand now, neither lifted nor past their end, or that `ever` did; by age."""

    async def lift_hold(self, number: int, by: str, why: str) -> None:
        """End a hold; one that was lifted before stays as it was."""

    async def place_veto(self, target: str, veto: NewVeto) -> Veto:
        """Forbid automation a commit; a veto of it that stands already is kept as it is."""

    async def vetoes(self, target: str, *, ever: bool = False) -> Sequence[Veto]:
        """Vetoes that stand now, or that `ever` did; oldest first."""

    async def lift_veto(self, number: int, by: str, why: str) -> None:
        """End a veto; one that was lifted before stays as it was."""


class Findings(Protocol):
    """What audits have found at each target."""

    async def record_findings(self, target: str, judged: Judged) -> Changes:
        """Keep what an audit has found now; what of it is new, persists, and what is gone.

        A finding whose rule could not be judged this time is not gone.
        """

    async def findings(
        self, target: str, *, ever: bool = False, limit: int = ALL
    ) -> Sequence[RecordedFinding]:
        """Findings that stand, or that `ever` did, newest first."""

    async def left_alone(self, seconds: float) -> Sequence[str]:
        """Targets, by name, at which findings stand that no audit has looked at for so long."""


class Ledger(Releases, Leases, Restrictions, Findings, Protocol):
    """The record of releases; every method commits before it returns."""

    async def identity(self) -> str:
        """The ledger's own name, made once with it."""

    async def clock(self) -> datetime:
        """The time by which it records everything."""

    async def record_takeover(self, takeover: Takeover) -> None:
        """Record that a stack of another ledger's is to be this one's."""

    async def takeovers(self, stack: str) -> Sequence[Takeover]:
        """Every takeover of the stack, oldest first."""

    def chains(self) -> AsyncIterator[Chain]:
        """Every release's journal beside what its row says, in order of request.

        Entries of a release that is not there come last, in a chain without a row.
        """

    async def published(self, reference: ImageReference) -> Digest | None:
        """The digest recorded for a tag, None if none was."""

    async def published_from(self, repository: str, build_inputs: str) -> Sequence[Digest]:
        """The digests of a repository recorded as built from these inputs, newest first."""

    async def published_tags(self, repository: str) -> Mapping[str, RecordedTag]:
        """Every tag recorded for a repository."""

    async def record_published(
        self, reference: ImageReference, digest: Digest, build_inputs: str | None = None
    ) -> None:
        """Record a tag's digest, once; `TagConflict` when another one is recorded.

        The id of what it was built from is None where nobody knows it, and may be told later, once.
        """

    async def forget_published(self, reference: ImageReference, digest: Digest) -> None:
        """Have a tag's digest recorded no more: it is deleted, and the tag may be published anew.

        Nothing happens where another digest is recorded, or none.
        """

    async def put_back_published(self, reference: ImageReference, recorded: RecordedTag) -> None:
        """Have a tag recorded as it was before it was forgotten; nothing where one is recorded."""

    async def record_refusal(self, repository: str, digest: Digest, why: str) -> None:
        """Record that the registry refuses to delete an image; only the last reason stays."""

    async def refusals(self, repository: str) -> Mapping[Digest, Refusal]:
        """Which images of a repository the registry has refused to delete."""

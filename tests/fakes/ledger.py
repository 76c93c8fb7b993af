"""The ledger in memory: no threads, no input or output, and the running loop's clock."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from slipway.domain.image import Digest, ImageReference
from slipway.domain.release import Kind, Phase, Release, Request, State
from slipway.domain.target import Target
from slipway.errors import InvalidInput, LeaseLost, TagConflict
from slipway.ports import Lease

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
FOR_GOOD = frozenset({State.LIVE, State.RESTORED, State.REFUSED})


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease row; a holder of None means that it was given back."""

    holder: str | None
    fence: int
    expires: datetime


class MemoryLedger:
    """The `Ledger` port on dictionaries; its clock is the loop's, so virtual time drives leases."""

    def __init__(self) -> None:
        self.releases: dict[str, Release] = {}
        self.leases: dict[str, HeldLease] = {}
        self.tags: dict[tuple[str, str], Digest] = {}

    def now(self) -> datetime:
        """The ledger's time."""
        return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())

    async def open(self, target: Target, request: Request) -> Release:
        """See `slipway.ports.Ledger`."""
        return self._insert(
            Release(self._next_id(), target.name, str(target.stack), request, self.now())
        )

    async def adopt(
        self, target: Target, image: ImageReference, accepted: frozenset[Digest]
    ) -> Release:
        """See `slipway.ports.Ledger`."""
        now = self.now()
        request = Request(Kind.ADOPTED, str(image), "slipway", automatic=True)
        return self._insert(
            Release(
                self._next_id(),
                target.name,
                str(target.stack),
                request,
                now,
                State.LIVE,
                Phase.APPLIED,
                commit=image.commit,
                digest=image.digest,
                image=str(image),
                accepted=accepted,
                ended=now,
                live_since=now,
            )
        )

    async def save(self, release: Release) -> Release:
        """See `slipway.ports.Ledger`."""
        row = self.releases[release.id]
        if row.fence > release.fence:
            raise LeaseLost(f"release {row.id}: fence {row.fence} has overtaken {release.fence}")
        if row.state in FOR_GOOD and row.state is not release.state:
            raise LeaseLost(f"release {row.id} has already ended {row.state}")
        ended = (row.ended or self.now()) if release.state.is_end else None
        if row.state is not release.state and release.state.is_end:
            ended = self.now()
        live_since = row.live_since or (ended if release.state is State.LIVE else None)
        return self._insert(replace(release, ended=ended, live_since=live_since))

    async def history(self, target: str, limit: int = 100) -> Sequence[Release]:
        """See `slipway.ports.Ledger`."""
        return [each for each in reversed(self.releases.values()) if each.target == target][:limit]

    async def unfinished(self, stack: str) -> Sequence[Release]:
        """See `slipway.ports.Ledger`."""
        return [each for each in self.releases.values() if each.stack == stack and each.is_open]

    async def acquire(self, stack: str, holder: str, seconds: float) -> Lease | None:
        """See `slipway.ports.Ledger`."""
        held = self.leases.get(stack) or HeldLease(None, 0, EPOCH)
        if held.holder is not None and held.expires > self.now():
            return None
        fence = held.fence + 1
        self.leases[stack] = HeldLease(holder, fence, self.now() + timedelta(seconds=seconds))
        return Lease(stack, holder, fence)

    async def renew(self, lease: Lease, seconds: float) -> None:
        """See `slipway.ports.Ledger`."""
        if not self._is_ours(lease):
            raise LeaseLost(f"the lease of stack {lease.stack} is not {lease.holder}'s any more")
        self.leases[lease.stack] = HeldLease(
            lease.holder, lease.fence, self.now() + timedelta(seconds=seconds)
        )

    async def give_back(self, lease: Lease) -> None:
        """See `slipway.ports.Ledger`."""
        if self._is_ours(lease):
            self.leases[lease.stack] = HeldLease(None, lease.fence, self.now())

    async def holder(self, stack: str) -> tuple[str, datetime] | None:
        """See `slipway.ports.Ledger`."""
        held = self.leases.get(stack)
        if held is None or held.holder is None or held.expires <= self.now():
            return None
        return held.holder, held.expires

    async def published(self, reference: ImageReference) -> Digest | None:
        """See `slipway.ports.Ledger`."""
        return self.tags.get(_tag_of(reference))

    async def record_published(self, reference: ImageReference, digest: Digest) -> None:
        """See `slipway.ports.Ledger`."""
        recorded = self.tags.setdefault(_tag_of(reference), digest)
        if recorded != digest:
            raise TagConflict(f"{reference} is recorded as {recorded}, not {digest}")

    def _next_id(self) -> str:
        return f"{len(self.releases) + 1:012x}"

    def _insert(self, release: Release) -> Release:
        self.releases[release.id] = release
        return release

    def _is_ours(self, lease: Lease) -> bool:
        held = self.leases.get(lease.stack)
        return held is not None and (held.holder, held.fence) == (lease.holder, lease.fence)


def _tag_of(reference: ImageReference) -> tuple[str, str]:
    if reference.tag is None:
        raise InvalidInput(f"{reference} names no tag: only tags are recorded")
    return reference.repository, reference.tag

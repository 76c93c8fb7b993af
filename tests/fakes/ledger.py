"""The ledger in memory: no threads, no input or output, and the running loop's clock."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from slipway.domain.hold import Restriction
from slipway.domain.image import Digest, ImageReference, RecordedTag, Refusal
from slipway.domain.journal import (
    Chain,
    EntryKind,
    Head,
    JournalEntry,
    Note,
    changed,
    head_of,
    sealed,
)
from slipway.domain.process import ProcessIdentity
from slipway.domain.release import Kind, Phase, Release, Request, State
from slipway.domain.takeover import Takeover
from slipway.domain.target import Target
from slipway.domain.waiting import Waiter
from slipway.errors import InvalidInput, LeaseLost, TagConflict
from slipway.ledger.releases import require_as_read, require_savable
from slipway.ledger.rows import content_of, progress_columns, request_columns
from slipway.ports import ALL, Holder, Lease, LeftOpen
from tests.fakes.findings import MemoryFindings
from tests.fakes.restrictions import EPOCH, MemoryRestrictions


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease row; a holder of None means that it was given back."""

    holder: str | None
    fence: int
    expires: datetime
    process: ProcessIdentity | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A release in line, for as long as it repeats itself."""

    waiter: Waiter
    expires: datetime


class MemoryLedger(MemoryRestrictions, MemoryFindings):
    """The `Ledger` port on dictionaries; its clock is the loop's, so virtual time drives leases."""

    def __init__(self) -> None:
        super().__init__()
        self.all_takeovers: list[Takeover] = []
        self.name = "11ed9e2" * 4 + "0000"
        self.releases: dict[str, Release] = {}
        self.journals: dict[str, list[JournalEntry]] = {}
        self._columns: dict[str, dict[str, Any]] = {}
        """What each journal tells of its release by now."""
        self.leases: dict[str, HeldLease] = {}
        self.lines: dict[str, Standing] = {}
        self.tags: dict[tuple[str, str], Digest] = {}
        self.tagged_at: dict[tuple[str, str], datetime] = {}
        self.built_from: dict[tuple[str, str], str] = {}
        self.refused: dict[tuple[str, Digest], Refusal] = {}

    async def record_takeover(self, takeover: Takeover) -> None:
        """See `slipway.ports.Ledger`."""
        self.all_takeovers.append(takeover)

    async def takeovers(self, stack: str) -> Sequence[Takeover]:
        """See `slipway.ports.Ledger`."""
        return [each for each in self.all_takeovers if each.stack == stack]

    async def chains(self) -> AsyncIterator[Chain]:
        """See `slipway.ports.Ledger`."""
        for each in [*self.releases.values()]:
            yield Chain(each.id, each.journal, _columns(each), self.journals[each.id])

    async def identity(self) -> str:
        """See `slipway.ports.Ledger`."""
        return self.name

    async def clock(self) -> datetime:
        """See `slipway.ports.Ledger`."""
        return self.now()

    async def open(self, target: Target, request: Request) -> Release:
        """See `slipway.ports.Ledger`."""
        return self._insert(
            Release(self._next_id(), target.name, str(target.stack), request, self.now())
        )

    async def adopt(
        self, target: Target, image: ImageReference, accepted: frozenset[Digest]
    ) -> Release:
        """See `slipway.ports.Ledger`."""
        now = self._after_all_live(target.name)
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

    async def save(self, release: Release, *entries: Note | Restriction) -> Release:
        """See `slipway.ports.Ledger`."""
        row = self.releases[release.id]
        lease = self.leases.get(release.stack)
        require_as_read(release, row.fence, row.journal)
        require_savable(release, row.state, row.fence, lease.fence if lease else 0)
        ended = (row.ended or self.now()) if release.state.is_end else None
        if row.state is not release.state and release.state.is_end:
            live = release.state is State.LIVE
            ended = self._after_all_live(release.target) if live else self.now()
        live_since = row.live_since or (ended if release.state is State.LIVE else None)
        if (ended, live_since) != (release.ended, release.live_since):
            release = replace(release, ended=ended, live_since=live_since)
        return self._insert(release, *entries)

    async def find(self, release: str) -> Release | None:
        """See `slipway.ports.Ledger`."""
        return self.releases.get(release)

    async def journal(self, release: str) -> Sequence[JournalEntry]:
        """See `slipway.ports.Ledger`."""
        return list(self.journals.get(release, ()))

    async def first_tried(self, target: str, step: str, since: datetime) -> Mapping[str, datetime]:
        """See `slipway.ports.Ledger`."""
        return {
            release.id: datetime.fromtimestamp(entry.at, UTC)
            for release in await self.history(target, len(self.releases))
            if release.ended is not None and release.ended >= since
            for entry in reversed(self.journals[release.id])
            if entry.kind is EntryKind.INTENT and entry.facts.get("step") == step
        }

    async def history(self, target: str, limit: int = ALL) -> Sequence[Release]:
        """See `slipway.ports.Ledger`."""
        return [each for each in reversed(self.releases.values()) if each.target == target][:limit]

    async def unfinished(self, stack: str) -> Sequence[Release]:
        """See `slipway.ports.Ledger`."""
        return [each for each in self.releases.values() if each.stack == stack and each.is_open]

    async def left_open(self) -> Sequence[LeftOpen]:
        """See `slipway.ports.Ledger`."""
        found = []
        for each in self.releases.values():
            lease = self.leases.get(each.stack)
            if each.is_open:
                fence = lease.fence if lease else 0
                found.append(LeftOpen(each, fence, await self.holder(each.stack)))
        return found

    async def elsewhere(self, repository: str, targets: Collection[str]) -> Sequence[Release]:
        """See `slipway.ports.Ledger`."""
        return [
            each
            for each in reversed(self.releases.values())
            if each.target not in targets
            and each.image.startswith((f"{repository}:", f"{repository}@"))
            and (each.is_open or each.state is State.LIVE)
        ]

    async def acquire(
        self, stack: str, holder: str, seconds: float, process: ProcessIdentity | None = None
    ) -> Lease | None:
        """See `slipway.ports.Ledger`."""
        held = self.leases.get(stack) or HeldLease(None, 0, EPOCH)
        if held.holder is not None and held.expires > self.now():
            return None
        fence = held.fence + 1
        expires = self.now() + timedelta(seconds=seconds)
        self.leases[stack] = HeldLease(holder, fence, expires, process)
        return Lease(stack, holder, fence)

    async def renew(self, lease: Lease, seconds: float) -> None:
        """See `slipway.ports.Ledger`."""
        if not self._is_ours(lease):
            raise LeaseLost(f"the lease of stack {lease.stack} is not {lease.holder}'s any more")
        expires = self.now() + timedelta(seconds=seconds)
        self.leases[lease.stack] = replace(self.leases[lease.stack], expires=expires)

    async def give_back(self, lease: Lease) -> None:
        """See `slipway.ports.Ledger`."""
        if self._is_ours(lease):
            self.leases[lease.stack] = HeldLease(None, lease.fence, self.now())

    async def holder(self, stack: str) -> Holder | None:
        """See `slipway.ports.Ledger`."""
        held = self.leases.get(stack)
        if held is None or held.holder is None or held.expires <= self.now():
            return None
        return Holder(Lease(stack, held.holder, held.fence), held.expires, held.process)

    async def stand_in_line(self, release: Release, seconds: float) -> Sequence[Waiter]:
        """See `slipway.ports.Ledger`."""
        before = self.lines.get(release.id)
        waiter = before.waiter if before else self._new_waiter(release)
        self.lines[release.id] = Standing(waiter, self.now() + timedelta(seconds=seconds))
        standing = [
            each.waiter
            for each in self.lines.values()
            if each.waiter.stack == release.stack and each.expires > self.now()
        ]
        return sorted(standing, key=lambda each: each.place)

    async def leave_line(self, release: str) -> None:
        """See `slipway.ports.Ledger`."""
        self.lines.pop(release, None)

    async def ask_to_end(self, release: str, why: str) -> bool:
        """See `slipway.ports.Ledger`."""
        standing = self.lines.get(release)
        if standing is None:
            return False
        asked = replace(standing.waiter, asked_to_end=standing.waiter.asked_to_end or why)
        self.lines[release] = Standing(asked, standing.expires)
        return True

    async def published(self, reference: ImageReference) -> Digest | None:
        """See `slipway.ports.Ledger`."""
        return self.tags.get(_tag_of(reference))

    async def published_from(self, repository: str, build_inputs: str) -> Sequence[Digest]:
        """See `slipway.ports.Ledger`."""
        found = [
            digest
            for (at, tag), digest in reversed(self.tags.items())
            if at == repository and self.built_from.get((at, tag)) == build_inputs
        ]
        return list(dict.fromkeys(found))

    async def published_tags(self, repository: str) -> Mapping[str, RecordedTag]:
        """See `slipway.ports.Ledger`."""
        return {
            tag: RecordedTag(each, self.tagged_at[where, tag], self.built_from.get((where, tag)))
            for (where, tag), each in self.tags.items()
            if where == repository
        }

    async def record_published(
        self, reference: ImageReference, digest: Digest, build_inputs: str | None = None
    ) -> None:
        """See `slipway.ports.Ledger`."""
        recorded = self.tags.setdefault(_tag_of(reference), digest)
        self.tagged_at.setdefault(_tag_of(reference), self.now())
        if recorded != digest:
            raise TagConflict(f"{reference} is recorded as {recorded}, not {digest}")
        if build_inputs is not None:
            self.built_from.setdefault(_tag_of(reference), build_inputs)

    async def forget_published(self, reference: ImageReference, digest: Digest) -> None:
        """See `slipway.ports.Ledger`."""
        key = _tag_of(reference)
        if self.tags.get(key) == digest:
            del self.tags[key], self.tagged_at[key]
            self.built_from.pop(key, None)

    async def put_back_published(self, reference: ImageReference, recorded: RecordedTag) -> None:
        """See `slipway.ports.Ledger`."""
        key = _tag_of(reference)
        if key not in self.tags:
            self.tags[key], self.tagged_at[key] = recorded.digest, recorded.at
            if recorded.build_inputs is not None:
                self.built_from[key] = recorded.build_inputs

    async def record_refusal(self, repository: str, digest: Digest, why: str) -> None:
        """See `slipway.ports.Ledger`."""
        self.refused[repository, digest] = Refusal(why, self.now())

    async def refusals(self, repository: str) -> Mapping[Digest, Refusal]:
        """See `slipway.ports.Ledger`."""
        return {
            digest: each for (where, digest), each in self.refused.items() if where == repository
        }

    def _after_all_live(self, target: str) -> datetime:
        times = (each.live_since for each in self.releases.values() if each.target == target)
        ordered = (each + timedelta(microseconds=2) for each in times if each is not None)
        return max([self.now(), *ordered])

    def _next_id(self) -> str:
        return f"{len(self.releases) + 1:012x}"

    def _new_waiter(self, release: Release) -> Waiter:
        return Waiter(
            release.id,
            release.stack,
            release.target,
            release.kind,
            release.commit,
            list(self.releases).index(release.id) + 1,
        )

    def _insert(self, release: Release, *entries: Note | Restriction) -> Release:
        row = self.releases.get(release.id)
        news = self._news(row, release)
        contents = [(EntryKind.STATE, news)] if news else []
        contents += [content_of(each) for each in entries]
        head = row.journal if row else Head()
        at = self.now().timestamp()
        follow = sealed(release.id, head, contents, at=at, fence=release.fence)
        self.journals.setdefault(release.id, []).extend(follow)
        for each in entries:
            self.restrict(release.target, each, release.id)
        end = head_of(follow) if follow else head
        self.releases[release.id] = replace(release, journal=end)
        return self.releases[release.id]

    def _news(self, row: Release | None, release: Release) -> dict[str, Any]:
        """What the journal has not told of a release yet."""
        if row is None:
            self._columns[release.id] = _columns(release)
            return self._columns[release.id]
        if row == release:
            return {}
        before = self._columns[release.id]
        now = {**before, **progress_columns(release), "ended": _seconds(release.ended)}
        self._columns[release.id] = now
        return changed(before, now)

    def _is_ours(self, lease: Lease) -> bool:
        held = self.leases.get(lease.stack)
        return held is not None and (held.holder, held.fence) == (lease.holder, lease.fence)


def _columns(release: Release) -> dict[str, Any]:
    """The columns of a release, as a journal tells them."""
    return {
        **request_columns(release.request),
        **progress_columns(release),
        "id": release.id,
        "target": release.target,
        "stack": release.stack,
        "started": release.started.timestamp(),
        "ended": _seconds(release.ended),
    }


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def _tag_of(reference: ImageReference) -> tuple[str, str]:
    if reference.tag is None:
        raise InvalidInput(f"{reference} names no tag: only tags are recorded")
    return reference.repository, reference.tag

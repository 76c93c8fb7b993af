"""The journal of a release: what was intended, what was seen, each entry sealed to the one before.

An entry's hash covers its content and the hash of its predecessor, so that no entry can be changed,
removed or moved without the next one, or the recorded head, telling. Whoever rewrites the whole
chain is found by its heads that stand outside the ledger: anchors.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

NOTHING_BEFORE = "0" * 64
"""The hash that the first entry of every chain follows."""


class EntryKind(StrEnum):
    """What an entry tells."""

    STATE = "state"
    """Columns of the release's row that changed; the first has all of them."""
    INTENT = "intent"
    """An effect that is about to be tried, written down before it is."""
    OBSERVATION = "observation"
    """What was seen of an effect afterwards."""
    HOLD = "hold"
    VETO = "veto"


@dataclass(frozen=True, slots=True)
class Note:
    """Something to be journaled with a release: an intent, or an observation."""

    kind: EntryKind
    step: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content(self) -> dict[str, Any]:
        """The note as an entry's content."""
        return {"step": self.step, **self.facts}


def intent(step: str, **facts: Any) -> Note:
    """What is about to be done outside; committed before it is tried."""
    return Note(EntryKind.INTENT, step, facts)


def observed(step: str, **facts: Any) -> Note:
    """What was seen of an effect after it was tried."""
    return Note(EntryKind.OBSERVATION, step, facts)


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: how many entries it has, and the hash of the last."""

    length: int = 0
    hash: str = NOTHING_BEFORE

    def __str__(self) -> str:
        return f"{self.length}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` writes."""
        length, _, sealed = text.partition(":")
        return cls(int(length), sealed)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One entry as it is recorded; `content` is the exact text that was sealed."""

    release: str
    number: int
    kind: EntryKind | str
    """Another text only where the ledger was tampered with."""
    at: float
    """Seconds since 1970, by the database's clock."""
    fence: int
    content: str
    previous: str
    hash: str

    @property
    def facts(self) -> dict[str, Any]:
        """The content, read."""
        read: dict[str, Any] = json.loads(self.content)
        return read

    @property
    def seal(self) -> str:
        """The hash that this content must have; `ValueError` for what can't ever be sealed."""
        told = [self.release, self.number, str(self.kind), self.at, self.fence, self.content]
        return hashlib.sha256(canonical([*told, self.previous]).encode()).hexdigest()

    @property
    def is_sealed(self) -> bool:
        """Whether its hash is the one that its content must have."""
        try:
            return self.seal == self.hash
        except ValueError:
            return False


def canonical(value: Any) -> str:
    """The one way to write a value as JSON."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def sealed(
    release: str,
    head: Head,
    contents: Iterable[tuple[EntryKind, Mapping[str, Any]]],
    *,
    at: float,
    fence: int,
) -> list[JournalEntry]:
    """The entries that follow `head`, in order."""
    entries: list[JournalEntry] = []
    length, previous = head.length, head.hash
    for kind, content in contents:
        length += 1
        text = canonical(content)
        draft = JournalEntry(release, length, kind, at, fence, text, previous, "")
        previous = draft.seal
        entries.append(
            JournalEntry(release, length, kind, at, fence, text, draft.previous, previous)
        )
    return entries


def head_of(entries: Sequence[JournalEntry]) -> Head:
    """Where a chain ends."""
    return Head(entries[-1].number, entries[-1].hash) if entries else Head()


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a row that a save changes."""
    return {name: value for name, value in after.items() if before.get(name, _ABSENT) != value}


_ABSENT = object()


def folded(entries: Iterable[JournalEntry]) -> dict[str, Any]:
    """The release's row as the journal tells it."""
    row: dict[str, Any] = {}
    for each in entries:
        if each.kind is EntryKind.STATE:
            row |= each.facts
    return row


@dataclass(frozen=True, slots=True)
class Anchor:
    """A chain's head as it once stood outside the ledger."""

    release: str
    head: Head
    where: str
    """Where it was found: `update 42 of acme/cluster/prod`."""


@dataclass(frozen=True, slots=True)
class Chain:
    """All that a ledger holds of one release's journal."""

    release: str
    head: Head
    """Where the release's row says that the journal ends."""
    row: Mapping[str, Any]
    """What the row says of the release itself."""
    entries: Sequence[JournalEntry]


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is not as it was written."""

    release: str
    what: str

    def __str__(self) -> str:
        return f"release {self.release}: {self.what}"


def flaws(chain: Chain, anchors: Iterable[Anchor] = ()) -> list[Flaw]:
    """Everything in a chain that is not as it was written, in the order in which it is read."""
    found = [*_broken_links(chain.entries)]
    # What was not sealed like this may not even be readable.
    found += [] if found else _other_row(chain)
    found += _wrong_end(chain)
    found += [_missed(chain, each) for each in anchors if each.release == chain.release]
    return [Flaw(chain.release, what) for what in found if what]


def _broken_links(entries: Sequence[JournalEntry]) -> Iterable[str]:
    previous, number = NOTHING_BEFORE, 0
    for each in entries:
        number += 1
        if each.number != number:
            yield f"entry {number} is missing, or stands elsewhere: found {each.number}"
            number = each.number
        if each.previous != previous:
            yield f"entry {each.number} does not follow the one before it"
        if not each.is_sealed:
            yield f"entry {each.number} is not what was sealed"
        previous = each.hash


def _wrong_end(chain: Chain) -> Iterable[str]:
    end = head_of(chain.entries)
    if end != chain.head or end == Head():
        yield f"the journal ends at {_shown(end)}, the release's row says {_shown(chain.head)}"


def _other_row(chain: Chain) -> Iterable[str]:
    told = folded(chain.entries)
    for name in sorted(told):
        if name not in chain.row or chain.row[name] != told[name]:
            yield f"{name} is not what the journal tells"


def _missed(chain: Chain, anchor: Anchor) -> str:
    sealed_there = {each.number: each.hash for each in chain.entries}
    if sealed_there.get(anchor.head.length) == anchor.head.hash:
        return ""
    return f"{anchor.where} knows another entry {_shown(anchor.head)}"


def _shown(head: Head) -> str:
    return f"{head.length} ({head.hash[:12]})"


def unknown(anchors: Iterable[Anchor], releases: Iterable[str]) -> list[Flaw]:
    """Anchors of releases that the ledger does not have: somebody has removed them whole."""
    known = set(releases)
    lost = [each for each in anchors if each.release not in known]
    return [Flaw(each.release, f"{each.where} knows it, the ledger does not") for each in lost]

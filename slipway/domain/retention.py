"""Retention: which images of a repository may be deleted, and nothing that anybody may still need.

Only what a commit's tag names is ever deleted, with the parts that nothing else has: being untagged
proves nothing, as the platforms of every index are. A plan is decided on facts that were all read;
there is no plan where one is missing.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from slipway.domain.candidate import proven_live
from slipway.domain.image import Digest
from slipway.domain.measures import DRILL
from slipway.domain.release import Release
from slipway.errors import InvalidInput

_COMMIT_TAG = re.compile("[0-9a-f]{40}")
_SIGNATURE_TAG = re.compile(r"sha256-([0-9a-f]{64})(?:\.[A-Za-z0-9.-]+)?")
"""How cosign and OCI's fallback name what belongs to a digest (OCI distribution 1.1, referrers)."""
EMPTY = Digest("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
"""The configuration `{}` of whatever has none, as signatures (OCI image spec 1.1, "Guidance for an
Empty Descriptor"): what has it in common has nothing in common."""
MOST_AT_ONCE = 100
"""Images that one plan may delete."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a manifest or an index names, and how large it says its own parts are."""

    digest: Digest
    children: tuple[Digest, ...] = ()
    """Manifests of an index, attestations too."""
    config: Digest | None = None
    subject: Digest | None = None
    """What it is a signature or an attestation of."""
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that a repository holds under its tags, and of what is in use without one; with parts."""

    repository: str
    tags: Mapping[str, Digest]
    contents: Mapping[Digest, Contents]
    referrers: Mapping[Digest, frozenset[Digest]] = field(default_factory=dict)
    """Digest → what the registry says refers to it."""


@dataclass(frozen=True, slots=True)
class InUse:
    """What somebody may still need, and who says so."""

    digests: Mapping[Digest, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    born: Mapping[str, datetime] = field(default_factory=dict)
    """Tag → since when it has its image, at the earliest; unknown is too young."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is kept although nobody names it."""

    keep_live: int = 10
    """So many images of each target: those that its newest releases made live."""
    younger_than: timedelta = timedelta(days=30)
    at_once: int = MOST_AT_ONCE


@dataclass(frozen=True, slots=True)
class Deletion:
    """An image to delete: by its digest, which takes all its tags with it; then its own parts."""

    digest: Digest
    tags: tuple[str, ...]
    parts: tuple[Digest, ...] = ()
    """Children, signatures and attestations that nothing which stays has, in order of deletion."""
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be deleted from one repository, and why what stays does."""

    repository: str
    policy: Policy
    deletions: tuple[Deletion, ...]
    kept: Mapping[Digest, str]
    """Tagged digest → why it stays."""
    left_for_later: int = 0
    """Images that may go too, beyond what one plan may delete."""
    protected: frozenset[Digest] = frozenset()
    """All that stays and was there, whatever it is a part of."""

    @property
    def hash(self) -> str:
        """The same for the same deletions from the same repository, and for no others."""
        told = [[str(each.digest), each.tags, [*map(str, each.parts)]] for each in self.deletions]
        text = json.dumps([self.repository, told])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def bytes(self) -> int:
        """About how much the registry's next garbage collection frees; shared layers count."""
        return sum(each.bytes for each in self.deletions)


def require_same(plan: Plan, wanted: str) -> None:
    """Refuse to apply anything but the plan that was shown."""
    if plan.hash != wanted:
        raise InvalidInput(
            f"the plan for {plan.repository} is {plan.hash} now, not {wanted}: what is there or "
            "in use has changed since; look at the plan again with slipway prune"
        )


def may_move(tag: str) -> bool:
    """Whether a tag is neither a commit's nor a signature's: of anybody's, as `main` is."""
    return not _COMMIT_TAG.fullmatch(tag) and not _SIGNATURE_TAG.fullmatch(tag)


def still_kept(history: Iterable[Release], policy: Policy) -> list[Release]:
    """The newest live releases, back to where they have made so many images live.

    An image counts once. A full drill's releases count for nothing: they make live again what was,
    two a night.
    """
    found: list[Release] = []
    images: set[str] = set()
    for each in proven_live(history):
        if each.request.requested_by != DRILL:
            images.add(str(each.digest or each.image))
        if len(images) > policy.keep_live:
            break
        found.append(each)
    return found


def plan_retention(inventory: Inventory, in_use: InUse, policy: Policy, now: datetime) -> Plan:
    """Which tagged images may go: no tag, part, signature or age of theirs says they must stay."""
    kept = _kept(inventory, in_use, policy, now)
    stays = _closed(inventory, kept)
    tags = _tags_of(inventory)
    free = [
        digest
        for digest in sorted(tags)
        if digest not in stays and any(_COMMIT_TAG.fullmatch(tag) for tag in tags[digest])
    ]
    oldest = sorted(free, key=lambda each: (_born(in_use, tags[each]) or now, each))
    ordered = _wholes_first(inventory, oldest)
    # What is left for later counts among them: it keeps what it shares until it goes itself.
    every = [*_without_repeats([_deletion(inventory, each, tags[each], stays) for each in ordered])]
    chosen = tuple(every[: policy.at_once])
    shown = {digest: kept.get(digest, "a part of what stays") for digest in tags if digest in stays}
    there = frozenset(stays & {*inventory.contents})
    return Plan(inventory.repository, policy, chosen, shown, len(every) - len(chosen), there)


def _kept(inventory: Inventory, in_use: InUse, policy: Policy, now: datetime) -> dict[Digest, str]:
    """Digests that must stay for themselves, and why."""
    kept = dict(in_use.digests)
    for tag, digest in inventory.tags.items():
        why = in_use.tags.get(tag) or _why_tag_stays(tag, in_use, policy, now)
        if why:
            kept.setdefault(digest, why)
    return kept


def _why_tag_stays(tag: str, in_use: InUse, policy: Policy, now: datetime) -> str:
    if _SIGNATURE_TAG.fullmatch(tag):
        return ""  # goes with what it belongs to, and stays with it
    if not _COMMIT_TAG.fullmatch(tag):
        return f"its tag {tag} is no commit's"
    born = in_use.born.get(tag)
    if born is None:
        return "nobody knows how old it is"
    if now - born < policy.younger_than:
        return f"younger than {policy.younger_than.days} days"
    return ""


def _closed(inventory: Inventory, kept: Iterable[Digest]) -> set[Digest]:
    """What must stay with the digests that stay: wholes, parts, signatures, to the end."""
    belongs = _belonging(inventory)
    stays, waiting = set(kept), list(kept)
    while waiting:
        for other in belongs.get(waiting.pop(), ()):
            if other not in stays:
                stays.add(other)
                waiting.append(other)
    # A signature of nothing that is there may be of what another repository or registry has.
    return stays | _lonely_signatures(inventory)


def _belonging(inventory: Inventory) -> Mapping[Digest, set[Digest]]:
    """Digest → what stays when it stays. An index stays for any of its parts, as for itself."""
    belongs: dict[Digest, set[Digest]] = {}

    def join(one: Digest, other: Digest) -> None:
        belongs.setdefault(one, set()).add(other)

    for each in inventory.contents.values():
        own = [each.config] if each.config not in {None, EMPTY} else []
        for part in (*each.children, *own):
            join(part, each.digest)
            join(each.digest, part)
        if each.subject is not None:
            join(each.subject, each.digest)
    for subject, referrers in inventory.referrers.items():
        for referrer in referrers:
            join(subject, referrer)
    for tag, digest in inventory.tags.items():
        if (signed := _subject_of(tag)) is not None:
            join(signed, digest)
    return belongs


def _lonely_signatures(inventory: Inventory) -> set[Digest]:
    subjects = {digest: _subject_of(tag) for tag, digest in inventory.tags.items()}
    return {
        digest
        for digest, subject in subjects.items()
        if subject is not None and subject not in inventory.contents
    }


def _subject_of(tag: str) -> Digest | None:
    found = _SIGNATURE_TAG.fullmatch(tag)
    return Digest(f"sha256:{found.group(1)}") if found else None


def _wholes_first(inventory: Inventory, images: Sequence[Digest]) -> list[Digest]:
    """In this order, but an index before an image that is a part of it: no crash leaves it bare."""
    ordered: list[Digest] = []
    waiting = list(images)
    while waiting:
        named = {part for each in waiting for part in _children(inventory, each) if part != each}
        wholes = [each for each in waiting if each not in named] or waiting
        ordered += wholes
        waiting = [each for each in waiting if each not in {*wholes}]
    return ordered


def _children(inventory: Inventory, digest: Digest) -> tuple[Digest, ...]:
    return inventory.contents.get(digest, Contents(digest)).children


def _deletion(
    inventory: Inventory, digest: Digest, tags: tuple[str, ...], stays: set[Digest]
) -> Deletion:
    """An image, and its own parts after it: registries refuse parts of what is still there."""
    own = inventory.contents.get(digest, Contents(digest))
    parts = list(own.children)
    for each in (digest, *own.children):
        parts += _signatures_of(inventory, each)
    going = [each for each in dict.fromkeys(parts) if each not in stays and each != digest]
    known = [inventory.contents[each].bytes for each in going if each in inventory.contents]
    return Deletion(digest, tags, tuple(going), own.bytes + sum(known))


def _signatures_of(inventory: Inventory, digest: Digest) -> list[Digest]:
    tagged = [each for tag, each in inventory.tags.items() if _subject_of(tag) == digest]
    named = [each.digest for each in inventory.contents.values() if each.subject == digest]
    return sorted({*tagged, *named, *inventory.referrers.get(digest, frozenset())})


def _without_repeats(deletions: Sequence[Deletion]) -> Iterable[Deletion]:
    """What two images share is deleted once, with the last of them."""
    images = {each.digest for each in deletions}
    last = {part: each.digest for each in deletions for part in each.parts}
    for each in deletions:
        parts = [part for part in each.parts if last[part] == each.digest and part not in images]
        yield Deletion(each.digest, each.tags, tuple(parts), each.bytes)


def _tags_of(inventory: Inventory) -> dict[Digest, tuple[str, ...]]:
    found: dict[Digest, list[str]] = {}
    for tag in sorted(inventory.tags):
        found.setdefault(inventory.tags[tag], []).append(tag)
    return {digest: tuple(tags) for digest, tags in found.items()}


def _born(in_use: InUse, tags: Iterable[str]) -> datetime | None:
    return min((in_use.born[tag] for tag in tags if tag in in_use.born), default=None)

"""Retention: which images of a repository may be deleted, and nothing that anybody may still need.

Only what a commit's tag names is ever deleted, with the parts that nothing else has: being untagged
proves nothing, as the platforms of every index are. A plan is decided on facts that were all read;
there is no plan where one is missing.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from slipway.domain.candidate import proven_live
from slipway.domain.image import Digest
from slipway.domain.inventory import (
    COMMIT_TAG,
    SIGNATURE_TAG,
    Inventory,
    all_of,
    closed,
    signatures,
    tags_of,
    wholes_first,
)
from slipway.domain.measures import DRILL
from slipway.domain.release import Release
from slipway.errors import InvalidInput

MOST_AT_ONCE = 100
"""Images that one plan may delete."""


@dataclass(frozen=True, slots=True)
class InUse:
    """What somebody may still need, and who says so."""

    digests: Mapping[Digest, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    born: Mapping[str, datetime] = field(default_factory=dict)
    """Tag → since when it has its image, at the earliest; unknown is too young."""
    refused: Mapping[Digest, str] = field(default_factory=dict)
    """What the registry would not delete when it was asked to, and why; it goes last."""


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
    tags: tuple[str, ...] = ()
    parts: tuple[Digest, ...] = ()
    """Children, signatures and attestations that nothing which stays has, in order of deletion."""
    bytes: int = 0
    names: frozenset[Digest] = frozenset()
    """All that it is made of or signed by, shared or not: by each of these it may be named."""
    refused: str = ""
    """Why the registry would not delete it the last time; empty where it was not asked."""


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
    stays = closed(inventory, kept)
    tags = tags_of(inventory)
    free = [
        digest
        for digest in sorted(tags)
        if digest not in stays and any(COMMIT_TAG.fullmatch(tag) for tag in tags[digest])
    ]
    refused = in_use.refused
    oldest = sorted(
        free, key=lambda each: (each in refused, _born(in_use, tags[each]) or now, each)
    )
    # What is left for later counts among them: it keeps what it shares until it goes itself.
    signed_by = signatures(inventory)
    ordered = wholes_first(inventory, oldest)
    every = [*_without_repeats([_deletion(inventory, each, signed_by, stays) for each in ordered])]
    chosen = tuple(
        replace(
            each,
            tags=tags[each.digest],
            names=all_of(inventory, signed_by, each.digest),
            refused=refused.get(each.digest, ""),
        )
        for each in every[: policy.at_once]
    )
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
    if SIGNATURE_TAG.fullmatch(tag):
        return ""  # goes with what it belongs to, and stays with it
    if not COMMIT_TAG.fullmatch(tag):
        return f"its tag {tag} is no commit's"
    born = in_use.born.get(tag)
    if born is None:
        return "nobody knows how old it is"
    if now - born < policy.younger_than:
        return f"younger than {policy.younger_than.days} days"
    return ""


def _deletion(
    inventory: Inventory,
    digest: Digest,
    signed_by: Mapping[Digest, set[Digest]],
    stays: Collection[Digest],
) -> Deletion:
    """An image, and its own parts after it: registries refuse parts of what is still there."""
    children = inventory.children(digest)
    parts = [*children]
    for each in (digest, *children):
        parts += sorted(signed_by.get(each, ()))
    going = tuple(each for each in dict.fromkeys(parts) if each not in stays and each != digest)
    known = [inventory.contents[each] for each in (digest, *going) if each in inventory.contents]
    return Deletion(digest, parts=going, bytes=sum(each.bytes for each in known))


def _without_repeats(deletions: Sequence[Deletion]) -> Iterable[Deletion]:
    """What two images share is deleted once, with the last of them."""
    images = {each.digest for each in deletions}
    last = {part: each.digest for each in deletions for part in each.parts}
    for each in deletions:
        parts = [part for part in each.parts if last[part] == each.digest and part not in images]
        yield replace(each, parts=tuple(parts))


def _born(in_use: InUse, tags: Iterable[str]) -> datetime | None:
    return min((in_use.born[tag] for tag in tags if tag in in_use.born), default=None)

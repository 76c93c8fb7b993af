"""What a repository holds, and what belongs to what in it: wholes, parts, signatures."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from slipway.domain.image import Digest

COMMIT_TAG = re.compile("[0-9a-f]{40}")
SIGNATURE_TAG = re.compile(r"sha256-([0-9a-f]{64})(?:\.[A-Za-z0-9.-]+)?")
"""How cosign and OCI's fallback name what belongs to a digest (OCI distribution 1.1, referrers)."""
EMPTY = Digest("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
"""The configuration `{}` of whatever has none, as signatures (OCI image spec 1.1, "Guidance for an
Empty Descriptor"): what has it in common has nothing in common."""


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

    def children(self, digest: Digest) -> tuple[Digest, ...]:
        """The manifests of an index; none of anything else."""
        found = self.contents.get(digest)
        return found.children if found else ()


def may_move(tag: str) -> bool:
    """Whether a tag is neither a commit's nor a signature's: of anybody's, as `main` is."""
    return not COMMIT_TAG.fullmatch(tag) and not SIGNATURE_TAG.fullmatch(tag)


def tags_of(inventory: Inventory) -> dict[Digest, tuple[str, ...]]:
    """Digest → its tags."""
    found: dict[Digest, list[str]] = {}
    for tag in sorted(inventory.tags):
        found.setdefault(inventory.tags[tag], []).append(tag)
    return {digest: tuple(tags) for digest, tags in found.items()}


def signatures(inventory: Inventory) -> Mapping[Digest, set[Digest]]:
    """Digest → what signs or attests it, by whichever of the three ways that is said."""
    found: dict[Digest, set[Digest]] = {}
    for tag, digest in inventory.tags.items():
        if (signed := _subject_of(tag)) is not None:
            found.setdefault(signed, set()).add(digest)
    for each in inventory.contents.values():
        if each.subject is not None:
            found.setdefault(each.subject, set()).add(each.digest)
    for subject, referrers in inventory.referrers.items():
        if referrers:
            found.setdefault(subject, set()).update(referrers)
    return found


def closed(inventory: Inventory, kept: Iterable[Digest]) -> set[Digest]:
    """What must stay with the digests that stay: wholes, parts, signatures, to the end."""
    stays = _reached(_belonging(inventory), kept)
    # A signature of nothing that is there may be of what another repository or registry has.
    return stays | _lonely_signatures(inventory)


def all_of(
    inventory: Inventory, signed_by: Mapping[Digest, set[Digest]], digest: Digest
) -> frozenset[Digest]:
    """A digest, its parts and configurations, and what signs any of them, to the end.

    By these a runtime or a person may name it, and without these it is not whole.
    """
    found, waiting = {digest}, [digest]
    while waiting:
        each = waiting.pop()
        contents = inventory.contents.get(each)
        config = [contents.config] if contents and contents.config else []
        below = {*inventory.children(each), *config, *signed_by.get(each, ())} - found
        found |= below
        waiting += below
    return frozenset(found)


def wholes_first(inventory: Inventory, images: Sequence[Digest]) -> list[Digest]:
    """In this order, but an index before an image that is a part of it: no crash leaves it bare."""
    place = {each: number for number, each in enumerate(images)}
    below = {
        each: {part for part in inventory.children(each) if part in place and part != each}
        for each in images
    }
    above = dict.fromkeys(images, 0)
    for parts in below.values():
        for part in parts:
            above[part] += 1
    ordered: list[Digest] = []
    wholes = [each for each in images if not above[each]]
    while wholes:
        ordered += wholes
        freed: list[Digest] = []
        for part in (part for each in wholes for part in below[each]):
            above[part] -= 1
            if not above[part]:
                freed.append(part)
        wholes = sorted(freed, key=place.__getitem__)
    # What is left names itself in a circle, which no build makes, or is a part of one.
    return ordered + [each for each in images if above[each]]


def _reached(belongs: Mapping[Digest, set[Digest]], kept: Iterable[Digest]) -> set[Digest]:
    reached = {*kept}
    waiting = [*reached]
    while waiting:
        for other in belongs.get(waiting.pop(), ()):
            if other not in reached:
                reached.add(other)
                waiting.append(other)
    return reached


def _belonging(inventory: Inventory) -> Mapping[Digest, set[Digest]]:
    """Digest → what stays when it stays. An index stays for any of its parts, as for itself."""
    belongs = {digest: {*found} for digest, found in signatures(inventory).items()}
    for each in inventory.contents.values():
        own = [each.config] if each.config not in {None, EMPTY} else []
        for part in (*each.children, *own):
            belongs.setdefault(part, set()).add(each.digest)
            belongs.setdefault(each.digest, set()).add(part)
    return belongs


def _lonely_signatures(inventory: Inventory) -> set[Digest]:
    subjects = {digest: _subject_of(tag) for tag, digest in inventory.tags.items()}
    return {
        digest
        for digest, subject in subjects.items()
        if subject is not None and subject not in inventory.contents
    }


def _subject_of(tag: str) -> Digest | None:
    found = SIGNATURE_TAG.fullmatch(tag)
    return Digest(f"sha256:{found.group(1)}") if found else None

"""Removal: whether what a plan lets go may still go, and which records go with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from slipway.domain.image import Digest, RecordedTag
from slipway.domain.retention import Deletion
from slipway.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Sight:
    """What releases and builders may change in a repository while a plan is carried out."""

    tags: frozenset[str]
    recorded: Mapping[str, RecordedTag]
    """What the ledger has as published."""
    opened: Mapping[str, Digest | None]
    """Open release → the image that it has chosen, None until it has."""


def require_untouched(repository: str, before: Sight, now: Sight) -> None:
    """Refuse to go on with a plan where anything has come that it was not made with.

    A release chooses its image, and may tag it once more, before it waits for the leases. One that
    has not chosen yet may choose any.
    """
    came = [*_choosing(now), *_new(before, now)]
    if came:
        raise InvalidInput(
            f"{'; '.join(came)}: the rest of the plan for {repository} is not carried out; when no "
            "release is open there, look at the plan again with slipway prune"
        )


def _choosing(now: Sight) -> Iterable[str]:
    for release, digest in sorted(now.opened.items()):
        if digest is None:
            yield f"release {release} is open and has not chosen its image yet"


def _new(before: Sight, now: Sight) -> Iterable[str]:
    for release, digest in sorted(now.opened.items()):
        if digest is not None and before.opened.get(release) != digest:
            yield f"release {release} has chosen {digest} since"
    for tag in sorted(now.tags - before.tags):
        yield f"the tag {tag} is new"
    for tag, each in sorted(now.recorded.items()):
        if tag in before.tags and before.recorded.get(tag) != each:
            yield f"{tag} was recorded as published since, as {each.digest}"


def records_of(deletion: Deletion, before: Sight) -> frozenset[str]:
    """Tags whose record goes with the image: it is what they were published as.

    Not that of a tag which holds another image now: that it was overwritten stays true.
    """
    return frozenset(
        tag
        for tag, each in before.recorded.items()
        if each.digest == deletion.digest and (tag in deletion.tags or tag not in before.tags)
    )

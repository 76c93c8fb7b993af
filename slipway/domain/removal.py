"""Removal: whether what a plan lets go may still go, and which records go with it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from slipway.domain.image import Digest, RecordedTag
from slipway.domain.retention import Deletion, Plan
from slipway.errors import ImageMissing, InvalidInput


@dataclass(frozen=True, slots=True)
class Sight:
    """What releases and builders may change in a repository while a plan is carried out."""

    tags: frozenset[str]
    recorded: Mapping[str, RecordedTag]
    """What the ledger has as published."""
    named: Mapping[str, Digest]
    """What is named by tags that anybody may move, as they are no commit's, or that went before."""
    opened: Mapping[str, Digest | None]
    """Open release → the image that it has chosen, None until it has."""
    elsewhere: Mapping[str, Digest | None] = field(default_factory=dict)
    """Likewise what is live or stands open at targets of nobody's here: no lease keeps those still.
    """


def require_untouched(repository: str, before: Sight, now: Sight) -> None:
    """Refuse to go on with a plan where anything has come that it was not made with.

    A release chooses its image, and may tag it once more, before it waits for the leases. One that
    has not chosen yet may choose any.
    """
    came = [*_choosing(now), *_new(before, now)]
    if came:
        raise InvalidInput(
            f"{'; '.join(came)}: the rest of the plan for {repository} is not carried out; "
            f"{_FINISH if now.opened else ''}look at the plan again with slipway prune"
        )


_FINISH = (
    "wait until no release is open there (slipway recover finishes what a dead process left), then "
)


def _choosing(now: Sight) -> Iterable[str]:
    for release, digest in sorted(now.opened.items()):
        if digest is None:
            yield f"release {release} is open and has not chosen its image yet"


def _new(before: Sight, now: Sight) -> Iterable[str]:
    known = {**before.opened, **before.elsewhere}
    for release, digest in sorted({**now.opened, **now.elsewhere}.items()):
        if digest is not None and known.get(release) != digest:
            yield f"release {release} has chosen {digest} since"
    for tag in sorted(now.tags - before.tags):
        yield f"the tag {tag} is new"
    for tag, digest in sorted(now.named.items()):
        if tag in before.tags and before.named.get(tag) != digest:
            yield f"the tag {tag} was moved to {digest} since"
    for tag, each in sorted(now.recorded.items()):
        if tag in before.tags and before.recorded.get(tag) != each:
            yield f"{tag} was recorded as published since, as {each.digest}"


def require_unnamed(plan: Plan, named: Mapping[str, str], deleted: Collection[Digest]) -> None:
    """Refuse to go on where anybody names what goes, by whichever digest or commit of it.

    Nobody did when the plan was made. `named` tells who; what is deleted already is told as such.
    """
    found = [
        f"{each.digest} {'is deleted already, and named' if each.digest in deleted else 'is named'}"
        f" by {name} since ({named[name]})"
        for each in plan.deletions
        for name in sorted({*map(str, each.names), str(each.digest), *each.tags} & {*named})[:1]
    ]
    if found:
        raise InvalidInput(
            f"{'; '.join(found)}: the rest of the plan for {plan.repository} is not carried out; "
            "look at the plan again with slipway prune"
        )


def records_of(deletion: Deletion, before: Sight) -> frozenset[str]:
    """Tags whose record goes with the image: it is what they were published as.

    Not that of a tag which holds another image now: that it was overwritten stays true.
    """
    return frozenset(
        tag
        for tag, each in before.recorded.items()
        if each.digest == deletion.digest and (tag in deletion.tags or tag not in before.tags)
    )


def require_kept(plan: Plan, lost: Mapping[Digest, str]) -> None:
    """Refuse to go on where an image is gone that was to stay; `lost` tells what restores each."""
    if not lost:
        return
    told = "; ".join(_told_lost(plan, digest, number) for digest, number in sorted(lost.items()))
    raise ImageMissing(
        f"{plan.repository} has lost what was to stay, since plan {plan.hash} was applied: {told}; "
        "delete nothing more there, restore these, and find out whether anybody else deletes"
    )


def _told_lost(plan: Plan, digest: Digest, number: str) -> str:
    why = plan.kept.get(digest, "a part of what stays, or in use without a tag")
    how = f"restored by version {number}" if number else "to be pushed again from a copy"
    return f"{digest} ({why}), {how}"

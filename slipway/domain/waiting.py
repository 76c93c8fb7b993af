"""Who waits for a stack's lease, and who of them goes first, or not at all."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from slipway.domain.commit import Commit
from slipway.domain.release import Kind


@dataclass(frozen=True, slots=True)
class Waiter:
    """A release in the line of its stack: the one that holds the lease stays in it to its end."""

    release: str
    stack: str
    target: str
    kind: Kind
    commit: Commit | None
    place: int
    """Grows with the order of request; not dense."""
    asked_to_end: str = ""
    """Why somebody has asked this release to end; empty while nobody has."""


def in_order(waiting: Sequence[Waiter]) -> list[Waiter]:
    """Who gets the lease next, and after that: rollbacks first, else in the order of request."""
    return sorted(waiting, key=lambda each: (each.kind is not Kind.ROLLBACK, each.place))


def superseding(
    mine: Waiter, waiting: Sequence[Waiter], descendants: Collection[Commit]
) -> Waiter | None:
    """The waiting deploy that makes mine pointless: one of a newer commit for the same target.

    `descendants` are the commits among those of `waiting` that descend from mine. Where several
    do, the newest of them: the last that was asked for.
    """
    if mine.kind is not Kind.DEPLOY:
        return None
    newer = [
        each
        for each in waiting
        if each.target == mine.target and each.kind is Kind.DEPLOY and each.commit in descendants
    ]
    return max(newer, key=lambda each: each.place, default=None)


def to_be_ended(mine: Waiter, holder: Waiter | None) -> bool:
    """Whether a rollback asks who holds the lease to end: only a deploy at its own target."""
    if holder is None or mine.kind is not Kind.ROLLBACK:
        return False
    return holder.kind is Kind.DEPLOY and holder.target == mine.target and not holder.asked_to_end

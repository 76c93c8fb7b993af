"""Who waits for a stack's lease, and who of them goes first, or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slipway.domain.coalescing import which_runs
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
    mine: Waiter, waiting: Sequence[Waiter], behind: Mapping[Commit, int]
) -> Waiter | None:
    """The waiting deploy that makes mine pointless: that of the one commit that runs at its target.

    `behind` is as `which_runs` takes it. A second request of that commit waits its turn, and then
    finds it live: it may allow what the first does not.
    """
    if mine.kind is not Kind.DEPLOY:
        return None
    rivals = [
        (each, each.commit)
        for each in sorted(waiting, key=lambda each: each.place)
        if each.target == mine.target and each.kind is Kind.DEPLOY and each.commit is not None
    ]
    if not rivals:
        return None
    runs, commit = rivals[which_runs([commit for _, commit in rivals], behind)]
    return None if commit == mine.commit else runs


def to_be_ended(mine: Waiter, holder: Waiter | None) -> bool:
    """Whether a rollback asks who holds the lease to end: only a deploy at its own target."""
    if holder is None or mine.kind is not Kind.ROLLBACK:
        return False
    return holder.kind is Kind.DEPLOY and holder.target == mine.target and not holder.asked_to_end

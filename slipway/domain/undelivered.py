"""What GitHub could not deliver: it tries once by itself, and lists what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from slipway.domain.commit import Commit
from slipway.domain.delivery import Push, ReceivedPush

MOST_ATTEMPTS = 4
"""Of one delivery, GitHub's own among them: what is refused that often is refused for good."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver, as GitHub lists it."""

    number: int
    """What GitHub calls the attempt by."""
    delivery: str
    """The delivery's own id, which every attempt of it has."""
    event: str
    at: str
    """When, in GitHub's own words."""
    status: int
    """The HTTP status of the answer; 0 or nonsense when there was none."""

    @property
    def arrived(self) -> bool:
        """Whether the webhook has acknowledged it."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own success class


def undelivered(attempts: Sequence[Attempt], events: frozenset[str]) -> Sequence[Attempt]:
    """Of each delivery of these events that never arrived, its newest attempt; oldest first.

    `attempts` are listed newest first. What was tried too often is left alone.
    """
    by_delivery: dict[str, list[Attempt]] = {}
    for each in attempts:
        if each.event in events:
            by_delivery.setdefault(each.delivery, []).append(each)
    missing = [
        tries[0]
        for tries in by_delivery.values()
        if len(tries) < MOST_ATTEMPTS and not any(each.arrived for each in tries)
    ]
    return missing[::-1]


def leads_to(pushes: Sequence[Push], head: Commit) -> bool:
    """Whether these pushes to a branch, in any order, leave it at `head`.

    Each is one move of the branch: it is where more moves have come than gone. So a branch that was
    pushed back to a commit which it had left is seen to have moved.
    """
    come = sum(each.after == head for each in pushes)
    gone = sum(each.before == head for each in pushes)
    return come > gone


def came_too_soon(received: Sequence[ReceivedPush], commit: Commit) -> bool:
    """Whether it was received, and refused each time because git did not show it yet."""
    its = [each for each in received if each.push.push.after == commit]
    return bool(its) and all(each.never_arrived for each in its)

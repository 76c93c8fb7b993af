"""Which pushed commits git shows, and which it may show yet: git may be late."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slipway.domain.commit import Commit
from slipway.domain.delivery import PushAt
from slipway.errors import Unreachable

ARRIVES_WITHIN = 300.0
"""Seconds within which a pushed commit must have arrived in the repository."""


@dataclass(slots=True)
class Arrivals:
    """Remembers of each commit that git does not show since when it is waited for."""

    _since: Mapping[Commit, float] = field(default_factory=dict, init=False)

    def late(self, waiting: Sequence[PushAt], behind: Mapping[Commit, int]) -> Sequence[PushAt]:
        """Those whose commits git does not show, and may show yet: each has its own time."""
        now = asyncio.get_running_loop().time()
        missing = {each.push.after for each in waiting} - behind.keys()
        self._since = {each: self._since.get(each, now) for each in missing}
        return [
            each
            for each in waiting
            if now - self._since.get(each.push.after, -ARRIVES_WITHIN) < ARRIVES_WITHIN
        ]


def not_there_yet(late: PushAt) -> Unreachable:
    """That a commit is waited for."""
    push = late.push
    return Unreachable(
        f"commit {push.after} has not arrived on {push.branch} of {late.repository} yet: "
        "it is looked for again; check the repository if it stays"
    )

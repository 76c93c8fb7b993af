"""What the dispatcher watches: targets, and the repositories that they share."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slipway.domain.commit import Commit
from slipway.domain.delivery import Push
from slipway.domain.target import Target
from slipway.ports import CommitStatuses, SourceRepository, WorkflowRuns


@dataclass(slots=True)
class SharedSource:
    """A repository that several targets ask about the same push: one fetch serves them all."""

    repository: SourceRepository
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _fetched: bool = field(default=False, init=False)

    async def behind(self, commits: Sequence[Commit], branch: str) -> Mapping[Commit, int]:
        """See `slipway.ports.SourceRepository`; fetches where one of the commits is not there."""
        async with self._asking:
            if self._fetched:
                known = await self.repository.behind(commits, branch)
                if all(each in known for each in commits):
                    return known
            return await self._fetch_and_ask(commits, branch)

    async def behind_now(self, commits: Sequence[Commit], branch: str) -> Mapping[Commit, int]:
        """Likewise, always after a fetch."""
        async with self._asking:
            return await self._fetch_and_ask(commits, branch)

    async def pushed(self, pushes: Sequence[Push], branch: str) -> Mapping[Commit, int]:
        """Where the pushed commits are.

        A push that sets the branch back is not seen without a fetch: all its commits are known.
        """
        after = [each.after for each in pushes]
        behind = await self.behind(after, branch)
        before = await self.repository.behind(
            [each.before for each in pushes if each.before is not None], branch
        )
        if all(_goes_on(each, behind, before) for each in pushes):
            return behind
        return await self.behind_now(after, branch)

    async def _fetch_and_ask(self, commits: Sequence[Commit], branch: str) -> Mapping[Commit, int]:
        await self.repository.fetch()
        self._fetched = True
        return await self.repository.behind(commits, branch)

    async def knows(self, commit: Commit) -> bool:
        """Whether the mirror has the commit, on whatever branch."""
        return await self.repository.is_ancestor(commit, commit)

    async def newest(self, branch: str) -> Commit:
        """The branch's head now, after a fetch."""
        async with self._asking:
            await self.repository.fetch()
            self._fetched = True
            return await self.repository.head(branch)


def _goes_on(push: Push, behind: Mapping[Commit, int], before: Mapping[Commit, int]) -> bool:
    """Whether the push took the branch further along its line, as far as the mirror shows."""
    if push.before is None or push.after not in behind:
        return True
    return before.get(push.before, -1) >= behind[push.after]


@dataclass(frozen=True, slots=True)
class WatchedTarget:
    """A target with the repository that it is deployed from."""

    target: Target
    source: SharedSource
    github: str = ""
    """The repository's name in deliveries."""
    host: CommitStatuses | None = None
    """Where the repository's commits show what became of them; None tells nobody."""
    builds: WorkflowRuns | None = None
    """Who is asked whether the target's workflow has ended; None where nobody can be."""

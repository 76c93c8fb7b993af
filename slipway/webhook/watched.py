"""What the dispatcher watches: targets, and the repositories that they share."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slipway.domain.commit import Commit
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
            await self.repository.fetch()
            self._fetched = True
            return await self.repository.behind(commits, branch)

    async def newest(self, branch: str) -> Commit:
        """The branch's head now, after a fetch."""
        async with self._asking:
            await self.repository.fetch()
            self._fetched = True
            return await self.repository.head(branch)


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

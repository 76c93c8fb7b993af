"""A repository as one look at many targets needs it: each question is asked once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from slipway.domain.commit import Commit, CommitPrefix
from slipway.domain.target import CommitInfo, Service
from slipway.ports import SourceRepository
from slipway.tasks.asking import Together

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SourceOnce:
    """The `SourceRepository` port, as it stands when it is first asked.

    A question to git is a process, and all targets of a repository ask much the same.
    """

    source: SourceRepository
    together: Together = field(compare=False)

    async def fetch(self) -> None:
        """See `slipway.ports.SourceRepository`."""
        await self._once("fetch", self.source.fetch)

    async def resolve(self, wanted: Commit | CommitPrefix) -> Commit:
        """See `slipway.ports.SourceRepository`."""
        return await self._once(f"resolve {wanted}", lambda: self.source.resolve(wanted))

    async def head(self, branch: str) -> Commit:
        """See `slipway.ports.SourceRepository`."""
        return await self._once(f"head {branch}", lambda: self.source.head(branch))

    async def on_main_line(self, commit: Commit, branch: str) -> bool:
        """See `slipway.ports.SourceRepository`."""
        return await self._once(
            f"on main line {commit} {branch}", lambda: self.source.on_main_line(commit, branch)
        )

    async def behind(self, commits: Sequence[Commit], branch: str) -> Mapping[Commit, int]:
        """See `slipway.ports.SourceRepository`."""
        return await self.source.behind(commits, branch)

    async def changed_files(self, older: Commit, newer: Commit) -> Sequence[str]:
        """See `slipway.ports.SourceRepository`."""
        return await self._once(
            f"changed files {older} {newer}", lambda: self.source.changed_files(older, newer)
        )

    async def is_ancestor(self, older: Commit, newer: Commit) -> bool:
        """See `slipway.ports.SourceRepository`."""
        return await self._once(
            f"ancestor {older} {newer}", lambda: self.source.is_ancestor(older, newer)
        )

    async def has_folder(self, commit: Commit, folder: str) -> bool:
        """See `slipway.ports.SourceRepository`."""
        return await self._once(
            f"folder {commit} {folder}", lambda: self.source.has_folder(commit, folder)
        )

    async def describe(self, commit: Commit) -> CommitInfo:
        """See `slipway.ports.SourceRepository`."""
        return await self._once(f"describe {commit}", lambda: self.source.describe(commit))

    async def touching(
        self, service: Service, newest: Commit, after: Commit | None = None, limit: int = 100
    ) -> Sequence[CommitInfo]:
        """See `slipway.ports.SourceRepository`."""
        return await self._once(
            f"touching {service} {newest} {after} {limit}",
            lambda: self.source.touching(service, newest, after, limit),
        )

    async def build_inputs(self, commit: Commit, service: Service) -> str:
        """See `slipway.ports.SourceRepository`."""
        return await self._once(
            f"inputs {commit} {service}", lambda: self.source.build_inputs(commit, service)
        )

    def checkout(self, commit: Commit) -> AbstractAsyncContextManager[Path]:
        """See `slipway.ports.SourceRepository`; each is one of its own."""
        return self.source.checkout(commit)

    async def _once(self, what: str, ask: Callable[[], Awaitable[T]]) -> T:
        return await self.together.once(f"git {what}", self.source, ask)

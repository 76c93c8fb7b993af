"""Git: the repository of services and program."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from slipway.domain.commit import Commit, CommitPrefix
from slipway.domain.target import CommitInfo, Service


class SourceRepository(Protocol):
    """The git repository of services and program, through a mirror of our own."""

    async def fetch(self) -> None:
        """Bring the mirror up to date with its remote."""

    async def resolve(self, wanted: Commit | CommitPrefix) -> Commit:
        """The one commit meant, or `UnknownCommit` / `AmbiguousCommit` naming what there is."""

    async def head(self, branch: str) -> Commit:
        """The branch's newest commit; `UnknownCommit` when there is no such branch."""

    async def on_main_line(self, commit: Commit, branch: str) -> bool:
        """Whether the commit is in the first-parent history of the branch."""

    async def behind(self, commits: Sequence[Commit], branch: str) -> Mapping[Commit, int]:
        """How many commits of the branch's first-parent history are newer than each that is in it.

        What is not in it is left out; without the branch that is everything.
        """

    async def changed_files(self, older: Commit, newer: Commit) -> Sequence[str]:
        """The paths of the files that differ between two commits, sorted; a rename is two."""

    async def is_ancestor(self, older: Commit, newer: Commit) -> bool:
        """Whether `newer` descends from `older`, or is it. False if either is unknown."""

    async def has_folder(self, commit: Commit, folder: str) -> bool:
        """Whether the folder exists at the commit."""

    async def describe(self, commit: Commit) -> CommitInfo:
        """Subject and time of a commit; `UnknownCommit`."""

    async def touching(
        self, service: Service, newest: Commit, after: Commit | None = None, limit: int = 100
    ) -> Sequence[CommitInfo]:
        """Commits that change a file of the service's build, newest first, from `newest` down.

        Along first parents, without what `after` descends from; a file that the build then ignores
        counts too. `UnknownCommit` for one that is not there.
        """

    async def build_inputs(self, commit: Commit, service: Service) -> str:
        """The id of everything that the service's build can see at the commit."""

    def checkout(self, commit: Commit) -> AbstractAsyncContextManager[Path]:
        """A full, throw-away work tree of the commit, gone when the context ends."""

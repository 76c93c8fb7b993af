"""A git repository in memory."""

import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slipway.domain.commit import Commit, CommitPrefix
from slipway.domain.target import CommitInfo, Service
from slipway.errors import AmbiguousCommit, UnknownCommit
from tests.fakes.faults import Faults


@dataclass(frozen=True)
class FakeCommit:
    """A commit: its parent and its files' text by path."""

    sha: str
    parent: str | None
    subject: str
    files: dict[str, str]


@dataclass
class FakeGit:
    """The `SourceRepository` port on dictionaries."""

    faults: Faults
    commits: dict[str, FakeCommit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    """As they are where people push to."""
    fetched: dict[str, str] = field(default_factory=dict)
    """As our mirror shows them."""
    has: set[str] = field(default_factory=set)
    """The commits that our mirror has."""

    def commit(
        self, subject: str, files: dict[str, str], branch: str = "main", sha: str = ""
    ) -> Commit:
        """Add a commit with these files changed; an empty text deletes a file."""
        parent = self.branches.get(branch)
        before = self.commits[parent].files if parent else {}
        tree = {path: text for path, text in {**before, **files}.items() if text}
        sha = sha or hashlib.sha1(f"{parent}{subject}{sorted(tree.items())}".encode()).hexdigest()  # noqa: S324 - git's own
        self.commits[sha] = FakeCommit(sha, parent, subject, tree)
        self.branches[branch] = sha
        return Commit(sha)

    def branch(self, name: str, at: Commit) -> None:
        """Start a branch."""
        self.branches[name] = at.sha

    async def fetch(self) -> None:
        await self.faults.at("before", "source.fetch")
        self._show(self.branches)

    def _show(self, branches: Mapping[str, str]) -> None:
        self.fetched = dict(branches)
        for each in branches.values():
            self.has.update(self._line(each))

    async def resolve(self, wanted: Commit | CommitPrefix) -> Commit:
        found = [sha for sha in self.commits if sha.startswith(str(wanted))]
        if not found:
            raise UnknownCommit(f"no commit {wanted} in the repository")
        if len(found) > 1:
            raise AmbiguousCommit(f"{wanted} fits {', '.join(sorted(found))}: give more characters")
        return Commit(found[0])

    async def head(self, branch: str) -> Commit:
        if branch not in self.fetched:
            raise UnknownCommit(f"no branch {branch}")
        return Commit(self.fetched[branch])

    async def on_main_line(self, commit: Commit, branch: str) -> bool:
        return commit.sha in self._line(self.fetched.get(branch))

    async def behind(self, commits: Sequence[Commit], branch: str) -> Mapping[Commit, int]:
        line = {sha: place for place, sha in enumerate(self._line(self.fetched.get(branch)))}
        return {each: line[each.sha] for each in commits if each.sha in line}

    async def changed_files(self, older: Commit, newer: Commit) -> Sequence[str]:
        one, two = self.commits[older.sha].files, self.commits[newer.sha].files
        return sorted(path for path in one.keys() | two.keys() if one.get(path) != two.get(path))

    async def is_ancestor(self, older: Commit, newer: Commit) -> bool:
        return older.sha in self._line(newer.sha if newer.sha in self.has else None)

    async def has_folder(self, commit: Commit, folder: str) -> bool:
        return any(path.startswith(f"{folder}/") for path in self.commits[commit.sha].files)

    async def describe(self, commit: Commit) -> CommitInfo:
        if commit.sha not in self.commits:
            raise UnknownCommit(f"no commit {commit}")
        number = list(self.commits).index(commit.sha)
        at = f"2026-01-01T00:{number:02}:00+00:00"
        return CommitInfo(commit, self.commits[commit.sha].subject, at)

    async def touching(
        self, service: Service, newest: Commit, after: Commit | None = None, limit: int = 100
    ) -> Sequence[CommitInfo]:
        await self.faults.at("before", "source.touching")
        for each in (newest, after or newest):
            if each.sha not in self.commits:
                raise UnknownCommit(f"no commit {each}")
        done = set(self._line(after.sha)) if after else set()
        line = [sha for sha in self._line(newest.sha) if sha not in done]
        touching = [sha for sha in line if self._touches(sha, service.context_path)]
        return [await self.describe(Commit(sha)) for sha in touching[:limit]]

    async def build_inputs(self, commit: Commit, service: Service) -> str:
        seen = f"{self.text_of(commit, service.folder)}{sorted(service.build_arguments)}"
        return hashlib.sha256(seen.encode()).hexdigest()

    @contextlib.asynccontextmanager
    async def checkout(self, commit: Commit) -> AsyncIterator[Path]:
        await self.faults.at("before", "source.checkout")
        if commit.sha not in self.commits:
            raise UnknownCommit(f"no commit {commit} to check out")
        yield Path("checkout") / commit.sha

    def text_of(self, commit: Commit, folder: str) -> str:
        """Everything under a folder that a build can see: README files are ignored."""
        files = self.commits[commit.sha].files
        return "\n".join(
            f"{path}: {files[path]}"
            for path in sorted(files)
            if path.startswith(f"{folder}/") and not path.endswith("README.md")
        )

    def _touches(self, sha: str, folder: str) -> bool:
        def under(files: Mapping[str, str]) -> dict[str, str]:
            inside = "" if folder == "." else f"{folder}/"
            return {path: files[path] for path in files if path.startswith(inside)}

        commit = self.commits[sha]
        before = self.commits[commit.parent].files if commit.parent else {}
        return under(commit.files) != under(before)

    def _line(self, sha: str | None) -> list[str]:
        line = []
        while sha is not None:
            line.append(sha)
            sha = self.commits[sha].parent
        return line

"""The repository in memory promises what the mirror does."""

from pathlib import Path

import pytest

from slipway.clients.git import GitMirror
from slipway.clients.git_remote import Remote
from slipway.domain.commit import Commit
from tests.clients.source_contract import Holding, SourceContract
from tests.clients.test_git import Work
from tests.fakes.faults import Faults
from tests.fakes.git import FakeGit


class InMemory(Holding):
    def __init__(self) -> None:
        self.fake = FakeGit(Faults())
        self.source = self.fake

    def commit(self, subject: str, files: dict[str, str], branch: str = "main") -> Commit:
        return self.fake.commit(subject, files, branch)

    def branch(self, name: str, at: Commit) -> None:
        self.fake.branch(name, at)


class Mirrored(Holding):
    def __init__(self, folder: Path) -> None:
        (folder / "work").mkdir()
        self.work = Work(folder / "work")
        self.work.git("init", "--quiet", "--initial-branch=main")
        self.source = GitMirror(Remote(str(self.work.folder)), folder / "state")

    def commit(self, subject: str, files: dict[str, str], branch: str = "main") -> Commit:
        if branch != self.work.git("branch", "--show-current"):
            self.work.git("switch", "--quiet", branch)
        for name, text in files.items():
            path = self.work.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        commit = self.work.commit(subject)
        if branch != "main":
            self.work.git("switch", "--quiet", "main")
        return commit

    def branch(self, name: str, at: Commit) -> None:
        self.work.git("branch", name, at.sha)


class TestInMemory(SourceContract):
    @pytest.fixture
    def holding(self) -> Holding:
        return InMemory()


class TestMirrored(SourceContract):
    @pytest.fixture
    def holding(self, tmp_path: Path) -> Holding:
        return Mirrored(tmp_path)

"""What every source repository promises; the mirror and the one in memory pass the same tests."""

from abc import ABC, abstractmethod

import pytest

from slipway.domain.commit import Commit, CommitPrefix
from slipway.domain.target import Service
from slipway.errors import UnknownCommit
from slipway.ports import SourceRepository

UNKNOWN = Commit("f" * 40)
SERVICE = Service("adapter", "adapter", "ghcr.io/acme/adapter")
FILES = {
    "adapter/Dockerfile": "FROM scratch\nCOPY src /src\n",
    "adapter/src/main": "one",
    "adapter/README.md": "one",
}


class Holding(ABC):
    """A repository, and how to commit to it behind the port's back."""

    source: SourceRepository

    @abstractmethod
    def commit(self, subject: str, files: dict[str, str], branch: str = "main") -> Commit:
        """Add a commit with these files changed."""

    @abstractmethod
    def branch(self, name: str, at: Commit) -> None:
        """Start a branch."""


class SourceContract:
    """Subclasses give a fixture `holding`."""

    async def test_a_commit_is_resolved_from_its_whole_and_from_its_beginning(
        self, holding: Holding
    ) -> None:
        commit = holding.commit("one", FILES)
        await holding.source.fetch()

        assert await holding.source.resolve(commit) == commit
        assert await holding.source.resolve(CommitPrefix(commit.short)) == commit
        assert await holding.source.head("main") == commit
        assert (await holding.source.describe(commit)).subject == "one"

    async def test_what_is_not_there_is_unknown(self, holding: Holding) -> None:
        commit = holding.commit("one", FILES)
        await holding.source.fetch()

        for wanted in (UNKNOWN, CommitPrefix("fffffff")):
            with pytest.raises(UnknownCommit):
                await holding.source.resolve(wanted)
        with pytest.raises(UnknownCommit):
            await holding.source.describe(UNKNOWN)
        with pytest.raises(UnknownCommit):
            await holding.source.head("release")
        assert not await holding.source.on_main_line(UNKNOWN, "main")
        assert not await holding.source.is_ancestor(UNKNOWN, commit)
        assert not await holding.source.is_ancestor(commit, UNKNOWN)
        assert not await holding.source.is_ancestor(UNKNOWN, UNKNOWN)

    async def test_lines_and_ancestors_are_told_apart(self, holding: Holding) -> None:
        first = holding.commit("one", FILES)
        holding.branch("side", first)
        side = holding.commit("side", {"adapter/src/main": "side"}, branch="side")
        second = holding.commit("two", {"adapter/src/main": "two"})
        await holding.source.fetch()

        line = [await holding.source.on_main_line(each, "main") for each in (first, side, second)]
        assert line == [True, False, True]
        assert await holding.source.is_ancestor(first, second)
        assert await holding.source.is_ancestor(second, second)
        assert not await holding.source.is_ancestor(second, first)
        assert not await holding.source.is_ancestor(side, second)

    async def test_folders_are_those_of_the_commit(self, holding: Holding) -> None:
        first = holding.commit("one", FILES)
        second = holding.commit("two", {"sink/Dockerfile": "FROM scratch\n"})
        await holding.source.fetch()

        found = [await holding.source.has_folder(each, "sink") for each in (first, second)]
        assert found == [False, True]
        assert not await holding.source.has_folder(first, "adapter/Dockerfile")

    async def test_the_build_inputs_are_equal_while_the_service_is(self, holding: Holding) -> None:
        first = holding.commit("one", FILES)
        docs = holding.commit("docs", {"adapter/README.md": "two", "sink/x": "x"})
        code = holding.commit("code", {"adapter/src/main": "two"})
        await holding.source.fetch()

        ids = [await holding.source.build_inputs(each, SERVICE) for each in (first, docs, code)]

        assert ids[0] == ids[1] != ids[2]

    async def test_commits_of_the_main_line_are_counted_from_its_head(
        self, holding: Holding
    ) -> None:
        first = holding.commit("one", FILES)
        holding.branch("side", first)
        side = holding.commit("side", {"adapter/src/main": "side"}, branch="side")
        second = holding.commit("two", {"adapter/src/main": "two"})
        third = holding.commit("three", {"adapter/src/main": "three"})
        await holding.source.fetch()

        behind = await holding.source.behind([first, side, third, UNKNOWN], "main")

        assert behind == {first: 2, third: 0}
        assert await holding.source.behind([second], "main") == {second: 1}
        assert await holding.source.behind([first], "release") == {}

    async def test_the_files_that_differ_are_named_whatever_happened_to_them(
        self, holding: Holding
    ) -> None:
        first = holding.commit("one", FILES)
        second = holding.commit("two", {"adapter/README.md": "", "adapter/src/main": "two"})
        third = holding.commit("three", {"sink/näh, this\tfile": "one"})
        await holding.source.fetch()

        changed = ["adapter/README.md", "adapter/src/main", "sink/näh, this\tfile"]
        assert await holding.source.changed_files(first, third) == changed
        assert await holding.source.changed_files(third, first) == changed
        assert await holding.source.changed_files(second, third) == changed[2:]
        assert await holding.source.changed_files(third, third) == []

    async def test_what_changes_a_services_files_is_told_newest_first(
        self, holding: Holding
    ) -> None:
        first = holding.commit("one", FILES)
        holding.branch("side", first)
        side = holding.commit("side", {"adapter/src/main": "side"}, branch="side")
        holding.commit("elsewhere", {"sink/x": "x"})
        third = holding.commit("three", {"adapter/src/main": "three"})
        docs = holding.commit("docs", {"adapter/README.md": "two"})
        head = holding.commit("elsewhere again", {"sink/x": "y"})
        await holding.source.fetch()

        async def told(
            newest: Commit, after: Commit | None = None, limit: int = 100
        ) -> list[Commit]:
            found = await holding.source.touching(SERVICE, newest, after, limit)
            return [each.commit for each in found]

        assert await told(head) == [docs, third, first]
        assert await told(head, limit=2) == [docs, third]
        assert await told(head, first) == [docs, third]
        assert await told(side, first) == [side]
        assert await told(first, head) == []
        [newest, *_] = await holding.source.touching(SERVICE, head)
        assert newest == await holding.source.describe(docs)
        for newest_of, after in ((UNKNOWN, None), (head, UNKNOWN)):
            with pytest.raises(UnknownCommit):
                await told(newest_of, after)

"""What many targets ask a repository is asked once, and answered as the repository does."""

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from slipway.errors import UnknownCommit
from slipway.ports import SourceRepository
from slipway.tasks.asking import Together
from slipway.tasks.source_once import SourceOnce
from tests.fakes.faults import Faults
from tests.fakes.git import FakeGit
from tests.ledger.examples import a_target

SERVICE = a_target().service
git = FakeGit(Faults())
FIRST = git.commit("first", {f"{SERVICE.folder}/main": "1"})
SECOND = git.commit("second", {f"{SERVICE.folder}/main": "2"})
GONE = replace(FIRST, sha="0" * 40)
QUESTIONS: dict[str, tuple[Any, ...]] = {
    "fetch": (),
    "resolve": (SECOND,),
    "head": ("main",),
    "on_main_line": (FIRST, "main"),
    "changed_files": (FIRST, SECOND),
    "is_ancestor": (FIRST, SECOND),
    "has_folder": (FIRST, SERVICE.folder),
    "describe": (SECOND,),
    "touching": (SERVICE, SECOND, FIRST, 7),
    "build_inputs": (FIRST, SERVICE),
}
NOT_ONCE = {"behind", "checkout"}


class Counting:
    """Lets everything through to the repository, and counts it."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(*words: Any, **named: Any) -> Any:
            self.asked[name] += 1
            return getattr(git, name)(*words, **named)

        return ask


def test_every_question_is_tried_here() -> None:
    methods = inspect.getmembers(SourceRepository, inspect.isfunction)
    asked = {name for name, _ in methods if not name.startswith("_")}

    assert asked == QUESTIONS.keys() | NOT_ONCE


@pytest.mark.parametrize("name", QUESTIONS)
async def test_a_question_of_two_targets_is_asked_once(name: str) -> None:
    counting = Counting()
    async with Together() as together:
        targets = [SourceOnce(counting, together) for _ in range(2)]
        answers = await asyncio.gather(*(getattr(each, name)(*QUESTIONS[name]) for each in targets))

    assert counting.asked == {name: 1}
    assert answers == [await getattr(git, name)(*QUESTIONS[name])] * 2


async def test_different_questions_have_their_own_answers() -> None:
    async with Together() as together:
        source = SourceOnce(git, together)

        assert await source.is_ancestor(FIRST, SECOND)
        assert not await source.is_ancestor(SECOND, FIRST)
        assert await source.describe(FIRST) != await source.describe(SECOND)
        assert len(await source.touching(SERVICE, SECOND)) == 2
        assert len(await source.touching(SERVICE, SECOND, FIRST)) == 1
        assert len(await source.touching(SERVICE, SECOND, limit=1)) == 1
        other = replace(SERVICE, folder="sink")
        assert await source.build_inputs(FIRST, other) != await source.build_inputs(FIRST, SERVICE)


async def test_a_refusal_is_everybodys() -> None:
    async with Together() as together:
        for _ in range(2):
            with pytest.raises(UnknownCommit):
                await SourceOnce(git, together).describe(GONE)


async def test_two_repositories_are_two() -> None:
    async with Together() as together:
        counting = [Counting(), Counting()]
        for each in counting:
            await SourceOnce(each, together).head("main")

    assert [each.asked["head"] for each in counting] == [1, 1]

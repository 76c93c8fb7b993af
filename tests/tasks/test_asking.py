"""Asking many things at once: in order, never too many, and nothing more after an error."""

import asyncio

import pytest

from slipway.tasks.asking import each_of


async def test_answers_come_in_the_order_of_what_was_asked_and_few_at_a_time() -> None:
    under_way: set[int] = set()
    most = 0

    async def ask(number: int) -> int:
        nonlocal most
        under_way.add(number)
        most = max(most, len(under_way))
        for _ in range(number % 5):
            await asyncio.sleep(0)
        under_way.remove(number)
        return number * 2

    assert await each_of(range(50), ask, 4) == [number * 2 for number in range(50)]
    assert most == 4
    assert await each_of([], ask, 4) == []


async def test_after_an_error_nothing_more_is_asked() -> None:
    asked: list[int] = []

    async def ask(number: int) -> None:
        asked.append(number)
        await asyncio.sleep(0)
        if number == 5:
            raise ValueError(number)

    with pytest.raises(ValueError, match="5"):
        await each_of(range(1000), ask, 4)

    so_far = len(asked)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(asked) == so_far < 20


async def test_after_an_error_nothing_is_under_way() -> None:
    ended: list[int] = []

    async def ask(number: int) -> None:
        if number == 0:
            await asyncio.sleep(0)
            raise ValueError("no")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    with pytest.raises(ValueError, match="no"):
        await each_of(range(3), ask, 3)

    assert sorted(ended) == [1, 2]

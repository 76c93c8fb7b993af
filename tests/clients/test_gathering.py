"""What is asked at once ends together."""

import asyncio

import pytest

from slipway.clients.gathering import gathered


async def test_answers_come_in_the_order_of_their_questions() -> None:
    async def answer(number: int) -> int:
        await asyncio.sleep(0.01 * (3 - number))
        return number

    assert await gathered(map(answer, range(3))) == [0, 1, 2]


async def test_nothing_is_under_way_any_more_once_one_has_failed() -> None:
    ended: list[str] = []

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("in order")

    with pytest.raises(ValueError, match="no"):
        await gathered([wait(), fail()])

    assert ended == ["in order"]

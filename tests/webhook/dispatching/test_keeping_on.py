"""A defect in a watch takes nothing else of the webhook with it."""

import asyncio
import contextlib
import itertools

import pytest

from slipway.webhook.keeping_on import AGAIN_AFTER, keep_on


async def test_a_watch_that_has_a_defect_begins_anew_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun: list[float] = []

    async def watch() -> None:
        begun.append(asyncio.get_running_loop().time())
        raise ZeroDivisionError

    working = asyncio.create_task(keep_on(watch))
    await asyncio.sleep(2.5 * AGAIN_AFTER)
    working.cancel()

    assert [later - before for before, later in itertools.pairwise(begun)] == [AGAIN_AFTER] * 2
    assert "a defect" in caplog.text
    assert "watch" in caplog.text


async def test_a_watch_that_is_cancelled_ends() -> None:
    working = asyncio.create_task(keep_on(lambda: asyncio.sleep(3600)))
    await asyncio.sleep(1)
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working

    assert working.cancelled()

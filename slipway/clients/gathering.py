"""Many questions at once, none of which goes on once another has failed."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def gathered(these: Iterable[Awaitable[T]]) -> list[T]:
    """What each answers, in their order; the first error, once all others have ended.

    asyncio.gather leaves those under way to themselves: their connections outlive who asked.
    """
    asking = [asyncio.ensure_future(each) for each in these]
    try:
        return list(await asyncio.gather(*asking))
    finally:
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

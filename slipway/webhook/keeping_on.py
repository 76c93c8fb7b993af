"""Watches that run beside the receiver: a defect in one of them takes nothing else with it."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

AGAIN_AFTER = 60.0
"""Seconds after a defect until the watch begins anew."""
DOUBLED_AT_MOST = 10


@contextlib.contextmanager
def apart(what: str) -> Iterator[None]:
    """What one of many is done within: its defect is logged, and the others go on."""
    try:
        yield
    except Exception:
        log.exception("%s: a defect", what)


async def look_at_each(
    items: Collection[T], look: Callable[[T], Awaitable[None]], every: float
) -> None:
    """Look at one after the other, again and again, until cancelled."""
    while True:
        for each in items:
            with apart(f"{look.__qualname__} of {each}"):
                await look(each)
        await asyncio.sleep(every)


def growing(first: float, times: int, longest: float) -> float:
    """A pause that has doubled so many times, up to the longest; days of failures overflow none."""
    return min(first * 2.0 ** min(times, DOUBLED_AT_MOST), longest)


async def keep_on(watch: Callable[[], Awaitable[None]]) -> None:
    """Run a watch until cancelled, again after each defect."""
    while True:
        try:
            await watch()
        except Exception:
            name = getattr(watch, "__qualname__", repr(watch))
            log.exception("%s: a defect; it goes on in %g s", name, AGAIN_AFTER)
        await asyncio.sleep(AGAIN_AFTER)

"""Watches that run beside the receiver: a defect in one of them takes nothing else with it."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator

log = logging.getLogger(__name__)

AGAIN_AFTER = 60.0
"""Seconds after a defect until the watch begins anew."""


@contextlib.contextmanager
def apart(what: str) -> Iterator[None]:
    """What one of many is done within: its defect is logged, and the others go on."""
    try:
        yield
    except Exception:
        log.exception("%s: a defect", what)


async def keep_on(watch: Callable[[], Awaitable[None]]) -> None:
    """Run a watch until cancelled, again after each defect."""
    while True:
        try:
            await watch()
        except Exception:
            name = getattr(watch, "__qualname__", repr(watch))
            log.exception("%s: a defect; it goes on in %g s", name, AGAIN_AFTER)
        await asyncio.sleep(AGAIN_AFTER)

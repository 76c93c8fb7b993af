"""Running a release in this process, without Prefect: progress on stderr, signals handled."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator

from slipway.domain.release import Outcome, Release, Request
from slipway.ports import Ports

log = logging.getLogger(__name__)

LOGGERS = ("slipway", "flows")
SIGNALS = (signal.SIGINT, signal.SIGTERM)
Story = Callable[[Ports, Request], Awaitable[Outcome]]


async def release_here(story: Story, ports: Ports, request: Request) -> Release:
    """Run a deploy or a rollback here; a signal cancels it once, and its end is awaited."""
    with progress_on_stderr(), _cancelled_once():
        try:
            return (await story(ports, request)).release
        except asyncio.CancelledError:
            # The story has dealt with it; the ledger knows how it ended.
            ended = await _what_became_of(ports, request)
            if ended is None:
                raise
            return ended


async def _what_became_of(ports: Ports, request: Request) -> Release | None:
    current = asyncio.current_task()
    if current is not None:
        current.uncancel()
    history = await ports.ledger.history(ports.target.name)
    return next((each for each in history if each.request == request), None)


@contextlib.contextmanager
def _cancelled_once() -> Iterator[None]:
    """The first SIGINT or SIGTERM cancels the running task; further ones only say so."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    asked = False

    def stop(received: signal.Signals) -> None:
        nonlocal asked
        if asked or task is None:
            log.warning("%s: already stopping; what was changed is being restored", received.name)
            return
        asked = True
        log.warning("%s: stopping; what was changed is restored first", received.name)
        task.cancel()

    for each in SIGNALS:
        loop.add_signal_handler(each, stop, each)
    try:
        yield
    finally:
        for each in SIGNALS:
            loop.remove_signal_handler(each)


@contextlib.contextmanager
def progress_on_stderr() -> Iterator[None]:
    """Show what the library logs, with the time of day."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    loggers = [logging.getLogger(name) for name in LOGGERS]
    for each in loggers:
        each.setLevel(logging.INFO)
        each.addHandler(handler)
        # Prefect, once imported, prints what reaches the root logger a second time.
        each.propagate = False
    try:
        yield
    finally:
        for each in loggers:
            each.removeHandler(handler)
            each.propagate = True

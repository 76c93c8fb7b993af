"""An event loop whose clock jumps to the next timer instead of waiting for it."""

import asyncio
import contextvars
import heapq
import signal
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """Runs a story in the order of its timers, as fast as the machine can; there is no outside."""

    # What BaseEventLoop keeps its callbacks and timers in (CPython 3.11 to 3.13).
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        """One round of the loop, without asking a selector: it would have nothing to wait for."""
        ready, scheduled = self._ready, self._scheduled
        while scheduled and scheduled[0].cancelled():
            heapq.heappop(scheduled)
        if not ready:
            if not scheduled:
                raise RuntimeError("everything waits and no timer is set: the story would hang")
            self._now = max(self._now, scheduled[0].when())
        while scheduled and scheduled[0].when() <= self._now:
            ready.append(heapq.heappop(scheduled))
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Without the checks of a loop that threads may call: it is asked at every step."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def add_signal_handler(self, sig: int, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        signal.signal(sig, lambda *_: self.call_soon(callback, *args))

    def remove_signal_handler(self, sig: int) -> bool:
        signal.signal(sig, signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL)
        return True

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector who would have to be woken."""


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run one story in virtual time that starts at zero."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(story)

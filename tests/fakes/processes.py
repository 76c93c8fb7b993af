"""Processes in virtual time: killed, they never run on; stopped, they go on later.

A process meets the world only through its ports, so that is where it is frozen: at a gate before
and after every call.
"""

import asyncio
import contextvars
import functools
import inspect
import signal
from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar, cast

from slipway.domain.process import ProcessIdentity
from slipway.ports import Ports

T = TypeVar("T")

CURRENT: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("process", default=None)


class Process:
    """One process of the operating system, with the children that it has started."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.unplugged = False
        """Whether its machine has stopped: nobody there notices."""
        self.gone = False
        """Whether the story is over, and what a dead process was doing is being cleared away."""
        self.parent: Process | None = None
        self.children: list[Process] = []
        self.handlers: dict[int, Any] = {}
        self.tasks: list[asyncio.Task[Any]] = []
        self._resumed: asyncio.Future[None] | None = None
        self._pending: list[int] = []

    @property
    def has_ended(self) -> bool:
        """Whether it is not there any more: killed, or done with all that it was started for."""
        return self.dead or (bool(self.tasks) and all(each.done() for each in self.tasks))

    def start(self, story: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine, and whatever it starts, as this process."""
        context = contextvars.copy_context()
        context.run(CURRENT.set, self)
        task = asyncio.get_running_loop().create_task(story, name=self.name, context=context)
        self.tasks.append(task)
        return task

    @property
    def frozen(self) -> bool:
        """Whether nothing of it moves."""
        return self.dead or self._resumed is not None

    async def breathe(self) -> None:
        """Go on only while the process is allowed to."""
        while self.dead or self._resumed is not None:
            if self.gone:
                raise asyncio.CancelledError
            waiting = self._resumed or asyncio.get_running_loop().create_future()
            try:
                await asyncio.shield(waiting)
            except asyncio.CancelledError:
                self.gone = self.dead
                raise

    def kill(self) -> None:
        """SIGKILL: the kernel asks each child to end (PR_SET_PDEATHSIG)."""
        self.dead = True
        for each in self.children:
            each.signal(signal.SIGINT)

    def lose_power(self) -> None:
        """The machine stops: the children with it."""
        self.dead = self.unplugged = True
        for each in self.children:
            each.lose_power()

    def stop(self) -> None:
        """SIGSTOP: the children run on."""
        if self._resumed is None:
            self._resumed = asyncio.get_running_loop().create_future()

    def resume(self) -> None:
        """SIGCONT; signals sent meanwhile arrive now."""
        if self._resumed is not None:
            self._resumed.set_result(None)
            self._resumed = None
        pending, self._pending = self._pending, []
        for each in pending:
            self.signal(each)

    def signal(self, number: int) -> None:
        """Deliver SIGTERM or SIGINT: the run is cancelled, unless the process ignores them."""
        if self.dead or self.handlers.get(number) is signal.SIG_IGN:
            return
        if self._resumed is not None:
            self._pending.append(number)
            return
        for each in self.tasks:
            each.cancel()


FIRST_ENGINE = 1_000_000
"""The process id of the first update: above those of the story's own processes."""


class Ends(Protocol):
    """A child of a process of the story."""

    @property
    def has_ended(self) -> bool: ...


class FakeProcesses:
    """The `Processes` port: who looks, and whom it sees, are processes of the story."""

    def __init__(self, known: Sequence[Process], engines: Sequence[Ends] = ()) -> None:
        self._known = known
        self._engines = engines

    def own(self) -> ProcessIdentity | None:
        """See `slipway.ports.Processes`; nothing is known of a story outside any process."""
        process = CURRENT.get()
        if process is None or process not in self._known:
            return None
        return ProcessIdentity("here", "boot", self._known.index(process), 0)

    def has_ended(self, process: ProcessIdentity | None) -> bool:
        """See `slipway.ports.Processes`."""
        if process is None:
            return False
        if process.pid >= FIRST_ENGINE:
            return self._engines[process.pid - FIRST_ENGINE].has_ended
        return self._known[process.pid].has_ended


class ProcessSignals:
    """Stands in for the module `signal`, with handlers for each process."""

    SIGTERM, SIGINT, SIG_IGN = signal.SIGTERM, signal.SIGINT, signal.SIG_IGN

    @staticmethod
    def signal(number: int, handler: Any) -> Any:
        process = CURRENT.get()
        if process is None:
            raise ValueError("signal only works in main thread of the main interpreter")
        before = process.handlers.get(number, signal.SIG_DFL)
        process.handlers[number] = handler
        return before


class Gate(Protocol):
    """What stands between a process and the world, around each call of a port."""

    async def before(self, effect: str) -> None: ...
    async def after(self, effect: str, result: object) -> None: ...


class Breathing:
    """A gate that only holds dead and stopped processes."""

    async def before(self, effect: str) -> None:
        del effect
        if (process := CURRENT.get()) is not None:
            await process.breathe()

    async def after(self, effect: str, result: object) -> None:
        del result
        await self.before(effect)


class _Gated:
    """A port behind a gate; what is not a coroutine function passes as it is."""

    def __init__(self, name: str, port: object, gate: Gate) -> None:
        self._name, self._port, self._gate = name, port, gate
        self._kind = cast("Hashable", type(port))

    def __getattr__(self, method: str) -> Any:
        function = getattr(self._port, method)
        if not _is_coroutine_function(self._kind, method):
            return function
        wrapped = _around(function, f"{self._name}.{method}", self._gate)
        setattr(self, method, wrapped)
        return wrapped


@functools.cache
def _is_coroutine_function(port: Hashable, method: str) -> bool:
    return inspect.iscoroutinefunction(getattr(port, method, None))


def _around(
    function: Callable[..., Coroutine[Any, Any, T]], effect: str, gate: Gate
) -> Callable[..., Coroutine[Any, Any, T]]:
    async def call(*args: Any, **kwargs: Any) -> T:
        await gate.before(effect)
        result = await function(*args, **kwargs)
        await gate.after(effect, result)
        return result

    return call


def behind(gate: Gate, name: str, port: object) -> Any:
    """A port behind a gate, which is told of its calls as effects of this name."""
    return cast("Any", _Gated(name, port, gate))


NAMES = ("source", "builder", "registry", "config", "stack", "cluster", "ledger")


def gated(ports: Ports, gate: Gate | None = None) -> Ports:
    """The same ports behind a gate; neighbours' too."""
    stands = gate or Breathing()

    async def neighbour(target: str) -> Ports:
        return gated(await ports.neighbour(target), stands)

    wrapped = {name: behind(stands, name, getattr(ports, name)) for name in NAMES}
    return replace(ports, **wrapped, neighbour=neighbour)

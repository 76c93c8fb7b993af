"""A command that must never be killed: asked once to end, and waited for, whatever happens to us.

`pulumi up` interrupted once finishes what it has begun and writes it down; interrupted twice, or
killed, it leaves its stack locked and its state behind the cluster.
"""

import asyncio
import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from slipway.clients.command import Child, start_child
from slipway.errors import StillRunning

log = logging.getLogger(__name__)

LOOK_EVERY = 0.1
ENDS_WITHIN = 120.0
"""Seconds that a command may take to end once it has been asked to."""
KEPT = 256 * 1024
"""Bytes kept of each output."""

Listener = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Supervised:
    """How a supervised command ended; `interrupted` says why it was asked to, if it was."""

    code: int
    stdout: str
    stderr: str
    interrupted: str = ""


async def supervise(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    within: float,
    stop: asyncio.Event,
    listener: Listener,
    started: Callable[[int], None] = lambda _pid: None,
    ends_within: float = ENDS_WITHIN,
) -> Supervised:
    """Run a command to its own end; each line of its output goes to `listener` as it appears.

    `started` is told its process id, and must not raise.
    When `stop` is set, `within` seconds have passed, or the task is cancelled, it gets exactly one
    SIGINT, and its end is awaited before this returns or raises. `StillRunning` when it does not
    end then; it is left alone. Should this whole process die, the kernel sends the SIGINT.
    """
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        outputs = _Output(stdout, listener), _Output(stderr, listener)
        child = start_child(argv, env=env, cwd=cwd, stdout=stdout, stderr=stderr)
        started(child.pid)
        watch = _Watch(child, stop, within, ends_within, outputs)
        await watch.until_ended()
        return Supervised(child.code, outputs[0].kept(), outputs[1].kept(), watch.why)


@dataclass
class _Output:
    """A file that the child writes to, so that it never depends on a reader being alive."""

    file: BinaryIO
    listener: Listener
    offset: int = 0
    unfinished: bytes = b""

    def tell(self, *, last: bool = False) -> None:
        """Hand on every line that is new; at the end, also one without its newline."""
        # pread leaves the file's own offset, which the child shares, where it is.
        while new := os.pread(self.file.fileno(), KEPT, self.offset):
            self.offset += len(new)
            *lines, self.unfinished = (self.unfinished + new).split(b"\n")
            for line in lines:
                self._tell_line(line)
        if last and self.unfinished:
            self._tell_line(self.unfinished)

    def kept(self) -> str:
        """The last part of the output."""
        start = max(0, self.offset - KEPT)
        return os.pread(self.file.fileno(), KEPT, start).decode("utf-8", "replace")

    def _tell_line(self, line: bytes) -> None:
        try:
            self.listener(line.decode("utf-8", "replace").rstrip())
        except Exception:
            log.exception("a line of output could not be handed on")


@dataclass
class _Watch:
    """Waits for the child's end with nothing that a cancellation could take away."""

    child: Child
    stop: asyncio.Event
    within: float
    ends_within: float
    outputs: tuple[_Output, _Output]
    why: str = ""
    asked_at: float = 0.0
    cancelled: asyncio.CancelledError | None = None

    async def until_ended(self) -> None:
        """Return, or raise the cancellation, when the child has ended; `StillRunning` if not."""
        started = asyncio.get_running_loop().time()
        while not self.child.has_ended():
            self._look(started)
            try:
                await asyncio.sleep(LOOK_EVERY)
            except asyncio.CancelledError as error:
                self.cancelled = error
                self._ask("the run was cancelled")
        for each in self.outputs:
            each.tell(last=True)
        if self.cancelled:
            raise self.cancelled

    def _look(self, started: float) -> None:
        for each in self.outputs:
            each.tell()
        now = asyncio.get_running_loop().time()
        if self.stop.is_set():
            self._ask("it was asked to stop")
        elif now >= started + self.within:
            self._ask(f"it was not done within {self.within:g} s")
        if self.why and now >= self.asked_at + self.ends_within:
            self.child.leave_alone()
            raise StillRunning(
                f"{self.child.name} (process {self.child.pid}) was interrupted because {self.why}, "
                f"and has not ended within {self.ends_within:g} s: nothing else was started; wait "
                "for its end, then slipway recover"
            ) from self.cancelled

    def _ask(self, why: str) -> None:
        if self.why:
            return
        self.why, self.asked_at = why, asyncio.get_running_loop().time()
        log.warning("interrupting %s: %s", self.child.name, why)
        self.child.interrupt()

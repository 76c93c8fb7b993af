"""The one place where processes start: a list of words, a chosen environment, and a deadline."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from slipway.errors import ProgramMissing, Unreachable

SECONDS_TO_END = 5.0
"""Between the request to end and the end by force."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def complaint(self) -> str:
        """What it wrote to its error stream, on one line and short enough for a message."""
        return " ".join(self.stderr.decode("utf-8", "replace").split())[-400:]


async def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    within: float,
    cwd: Path | None = None,
    stdin: bytes = b"",
) -> Finished:
    """Run a command to its end, whatever its exit code.

    `env` is the whole environment: nothing is inherited. The command has a process group of its
    own, which is ended when the deadline passes (`Unreachable`) or the task is cancelled.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=dict(env),
            cwd=cwd,
            # Nothing to say is no pipe: uvloop can't write to one whose reader has ended already.
            stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise ProgramMissing(
            f"{argv[0]} can't be started ({error.strerror}): install it, or put it on the PATH"
        ) from error
    try:
        async with asyncio.timeout(within):
            stdout, stderr = await process.communicate(stdin or None)
    except TimeoutError as error:
        raise Unreachable(
            f"{' '.join(argv[:2])} was not done within {within:.0f} s and was ended: check what it "
            "talks to, and try again"
        ) from error
    finally:
        if process.returncode is None:
            await _end(process)
    return Finished(process.returncode or 0, stdout, stderr)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the whole group: asked first, by force when it does not or when it leaves some behind."""
    _signal_group(process, signal.SIGTERM)
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), SECONDS_TO_END)
    finally:
        _signal_group(process, signal.SIGKILL)
        await process.wait()


def _signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


_FIRST_DEFAULT_SIGNALS = """
import ctypes, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(signal.SIGINT))  # PR_SET_PDEATHSIG
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[3:])
"""
"""Run in the child, in the same process: what we ignore it would ignore too, and the death of the
thread that started it (the event loop's) tells it to end in order. A `preexec_fn` would run between
fork and exec, where other threads' locks may be held.
"""


@dataclass(frozen=True, slots=True)
class Child:
    """A command under way, in a session of its own, whose end nobody forces."""

    name: str
    process: "subprocess.Popen[bytes]"

    @property
    def pid(self) -> int:
        """Its process id, also that of its process group."""
        return self.process.pid

    @property
    def code(self) -> int:
        """Its exit code, once it has ended; negative for a signal."""
        return self.process.returncode

    def has_ended(self) -> bool:
        """Whether it has ended; asks the kernel, never waits."""
        return self.process.poll() is not None

    def interrupt(self) -> None:
        """Send SIGINT, to the command alone: its own children are its to end."""
        self.process.send_signal(signal.SIGINT)

    def leave_alone(self) -> None:
        """Stop watching it; it goes on. Python reaps it when it ends before we do."""
        _left_alone.append(self.process)


_left_alone: list["subprocess.Popen[bytes]"] = []
"""Held, because a Popen that is forgotten while its command runs warns of a leak."""


def start_child(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdout: BinaryIO, stderr: BinaryIO
) -> Child:
    """Start a command that writes to files; `slipway.clients.supervise` waits for its end."""
    path = shutil.which(argv[0], path=env.get("PATH"))
    if path is None:
        raise ProgramMissing(f"{argv[0]} can't be started: install it, or put it on the PATH")
    process = subprocess.Popen(
        [sys.executable, "-ISc", _FIRST_DEFAULT_SIGNALS, str(os.getpid()), path, *argv],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    return Child(argv[0].rpartition("/")[2], process)

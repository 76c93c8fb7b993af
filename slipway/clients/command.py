"""The one place where processes start: a list of words, a chosen environment, and a deadline."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.errors import PermanentError, Unreachable

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
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise PermanentError(
            f"{argv[0]} can't be started ({error.strerror}): install it, or put it on the PATH"
        ) from error
    try:
        async with asyncio.timeout(within):
            stdout, stderr = await process.communicate(stdin)
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

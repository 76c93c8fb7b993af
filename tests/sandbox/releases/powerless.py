"""A machine that loses its power: whatever works in a box ends at once, and tidies nothing up."""

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

from sandbox.box import Box
from sandbox.part import Part, start_all, stop_all

_GONE = (FileNotFoundError, NotADirectoryError, ProcessLookupError, PermissionError)


def processes_of(box: Box) -> Iterator[tuple[int, list[str]]]:
    """Process id and words of everything that names the box's folder, ourselves apart."""
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(*_GONE):
            words = (each / "cmdline").read_bytes().decode(errors="replace").split("\0")
            around = (each / "environ").read_bytes().decode(errors="replace")
            if int(each.name) != os.getpid() and str(box.root) in f"{around} {words}":
                yield int(each.name), words


def lose_power(box: Box) -> None:
    """Kill everything that works in the box, all at once, releases and updates too."""
    for pid, _ in list(processes_of(box)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def boot(box: Box, parts: Sequence[Part]) -> None:
    """`python -m sandbox down`, which finds only dead processes, and `up`."""
    stop_all(box, parts)
    start_all(box, parts)

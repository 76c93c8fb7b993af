"""What the sandbox is made of, and how its parts are brought up side by side and taken down."""

import concurrent.futures
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import httpx
from docker.errors import DockerException

from sandbox.box import Box
from sandbox.processes import PartFailed, Processes

FAILURES = (
    OSError,
    RuntimeError,
    ValueError,
    subprocess.SubprocessError,
    DockerException,
    httpx.HTTPError,
)
"""What goes wrong outside; anything else is a defect of the sandbox and shows its traceback."""
UP = "up"
"""The file that stands in the state folder while everything is up."""


class Part(Protocol):
    """One system of the outside world."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def needs(self) -> Sequence[str]:
        """Names of parts that must be ready before this one starts."""

    @property
    def processes(self) -> Sequence[str]:
        """Names of the processes that it starts, in that order."""

    def start(self, box: Box) -> None:
        """Start, and wait until it is ready; quick when it already is."""

    def clean(self, box: Box) -> None:
        """Take away what its ended processes left: mounts, networks, other processes."""

    def environment(self, box: Box) -> Mapping[str, str]:
        """What a person's shell needs to use it by hand."""


@dataclass
class Times:
    """How long each part took to become ready, in seconds."""

    by_part: dict[str, float] = field(default_factory=dict)


def start_all(box: Box, parts: Sequence[Part]) -> Times:
    """Start every part as soon as what it needs is ready."""
    times = Times()
    waiting = {part.name: part for part in parts}
    with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
        running: dict[concurrent.futures.Future[None], str] = {}
        while waiting or running:
            for part in [
                each for each in waiting.values() if set(each.needs) <= set(times.by_part)
            ]:
                running[pool.submit(_timed, part, box, times)] = waiting.pop(part.name).name
            done, _ = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED
            )
            for future in done:
                name = running.pop(future)
                future.result()
                print(f"  {name:<14} ready after {times.by_part[name]:.1f} s", flush=True)
    (box.folder() / UP).touch()
    return times


def _timed(part: Part, box: Box, times: Times) -> None:
    began = time.monotonic()
    try:
        part.start(box)
    except FAILURES as error:
        raise PartFailed(f"{part.name} did not start: {error}") from error
    times.by_part[part.name] = time.monotonic() - began


def stop_all(box: Box, parts: Sequence[Part]) -> None:
    """End every process, the last started first, and clean up after each part."""
    (box.root / UP).unlink(missing_ok=True)
    processes = Processes(box)
    for process in reversed(processes.all()):
        processes.end(process)
    for part in reversed(parts):
        part.clean(box)


def crashed(box: Box, parts: Sequence[Part]) -> list[tuple[str, str]]:
    """Part and process of everything that was started and does not run any more."""
    processes = Processes(box)
    return [
        (part.name, name)
        for part in parts
        for name in part.processes
        if (process := processes.find(name)) is not None and not process.alive
    ]


def is_up(box: Box, parts: Sequence[Part]) -> bool:
    """Whether everything that the parts start has been started and runs.

    The last part's start is the end of `up`: it is written down only when all have become ready.
    """
    return (box.root / UP).exists() and not crashed(box, parts)

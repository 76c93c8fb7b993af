"""Starts, watches and ends the sandbox's processes, by the ids that it wrote down itself."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.box import Box

TERM_WITHIN = 10.0
LOOK_EVERY = 0.05
_STARTTIME = 19
"""The place of `starttime` after the command's name in /proc/PID/stat (proc(5), field 22)."""

_children: list[subprocess.Popen[bytes]] = []
"""Kept, because a Popen that is collected complains that its child still runs: ours shall."""


class PartFailed(Exception):
    """A part did not become ready; the message ends with the tail of its log."""


@dataclass(frozen=True)
class Process:
    """One process that was started: its id, and when, so that a reused id is not taken for it."""

    name: str
    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return _started(self.pid) == self.started


class Processes:
    """The processes of one box."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> Process:
        """Start a process in a session of its own; nothing happens when it runs already."""
        running = self.find(name)
        if running is not None and running.alive:
            return running
        with self.log(name).open("ab") as output:
            child = subprocess.Popen(
                [str(each) for each in argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder or self._box.folder(),
                env={**_basics(), **(environment or {})},
                start_new_session=True,
            )
        _children.append(child)
        process = Process(name, child.pid, _started(child.pid) or 0)
        record = {"pid": process.pid, "started": process.started, "at": time.time()}
        (self._box.folder("run") / f"{name}.json").write_text(json.dumps(record))
        return process

    def find(self, name: str) -> Process | None:
        """A process by its name, whether it still runs or not."""
        path = self._box.folder("run") / f"{name}.json"
        if not path.exists():
            return None
        record = json.loads(path.read_text())
        return Process(name, record["pid"], record["started"])

    def all(self) -> list[Process]:
        """Every process that was started and not ended, in the order of their start."""
        paths = self._box.folder("run").glob("*.json")
        ordered = sorted(paths, key=lambda path: json.loads(path.read_text())["at"])
        return [each for path in ordered if (each := self.find(path.stem)) is not None]

    def end(self, process: Process) -> None:
        """End a process and its group: SIGTERM, and SIGKILL when it takes too long."""
        for each in (signal.SIGTERM, signal.SIGKILL):
            if process.alive:
                os.killpg(process.pid, each)
                _wait_for_end(process)
        (self._box.folder("run") / f"{process.name}.json").unlink(missing_ok=True)
        # Only those that this very process started can be reaped by it.
        _children[:] = [each for each in _children if each.poll() is None]

    def log(self, name: str) -> Path:
        """A process' log file."""
        return self._box.folder("logs") / f"{name}.log"

    def tail(self, name: str, lines: int = 15) -> str:
        """The last lines of a log."""
        path = self.log(name)
        text = path.read_text(errors="replace") if path.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def wait(self, name: str, what: str, ready: Callable[[], bool], within: float) -> None:
        """Wait until a process has become ready; `PartFailed` when it ends or takes too long."""
        deadline = time.monotonic() + within
        while not ready():
            process = self.find(name)
            if process is None or not process.alive:
                raise PartFailed(f"{name} ended before {what}:\n{self.tail(name)}")
            if time.monotonic() >= deadline:
                raise PartFailed(f"{what}: not within {within:g} s; {name}:\n{self.tail(name)}")
            time.sleep(LOOK_EVERY)


def _wait_for_end(process: Process) -> None:
    deadline = time.monotonic() + TERM_WITHIN
    while process.alive:
        if time.monotonic() >= deadline:
            return
        time.sleep(LOOK_EVERY)


def _basics() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def _started(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[_STARTTIME])

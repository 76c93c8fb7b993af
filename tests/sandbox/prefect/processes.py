"""What the processes of this machine tell of themselves, sampled while runs go on."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

SAMPLE_EVERY = 0.1
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


class Watch:
    """Reads every command line ten times a second, from a thread."""

    def __init__(self, pulumi: Path) -> None:
        self.command_lines: set[bytes] = set()
        self.most_updates = 0
        """How many `pulumi up` of this sandbox were seen at the same moment, at most."""
        self._update = f"{pulumi}\0up\0".encode()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def updates(self) -> list[int]:
        """The process ids of every `pulumi up` of this sandbox, now."""
        return self._updates(dict(command_lines()))

    def _updates(self, seen: Mapping[int, bytes]) -> list[int]:
        found = {pid for pid, line in seen.items() if line.startswith(self._update)}
        # What `pulumi up` starts has its command line too, until it is executed.
        return [pid for pid in found if _parent(pid) not in found]

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_EVERY):
            seen = dict(command_lines())
            self.command_lines.update(seen.values())
            self.most_updates = max(self.most_updates, len(self._updates(seen)))


def command_lines() -> Iterator[tuple[int, bytes]]:
    """Process id and command line of everything that runs."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(*_GONE):
            yield int(path.parent.name), path.read_bytes()


def _parent(pid: int) -> int:
    """The process that started this one; 0 when it has ended."""
    with contextlib.suppress(*_GONE):
        _, _, after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        return int(after.split()[1])
    return 0


def kill_flow(run: str) -> None:
    """End a flow run's process as the kernel does when memory is out: nothing can be cleaned up."""
    [pid] = _processes_of(run)
    os.kill(pid, signal.SIGKILL)


def _processes_of(run: str) -> list[int]:
    """The processes that work on a flow run; what they start does not inherit its name."""
    name = f"PREFECT__FLOW_RUN_ID={run}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(*_GONE):
            if name in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found

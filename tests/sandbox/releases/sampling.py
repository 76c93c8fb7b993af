"""How many updates of the stack run at once, looked at from outside while a test goes on."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from sandbox import pulumi
from sandbox.box import Box

LOOK_EVERY = 0.05
CHANGING = {"up", "refresh", "destroy"}


class UpdatesAtOnce(threading.Thread):
    """Looks at /proc until it is told to stop."""

    def __init__(self, box: Box) -> None:
        super().__init__(daemon=True)
        self._command = str(pulumi.command(box))
        self._stopping = threading.Event()
        self.most = 0
        """How many were seen at once, at most."""

    def run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            self.most = max(self.most, len(self._updates()))

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self.join()

    def _updates(self) -> set[int]:
        found = {}
        for each in Path("/proc").iterdir():
            if each.name.isdigit():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    words = (each / "cmdline").read_bytes().decode(errors="replace").split("\0")
                    if words[0] == self._command and CHANGING & set(words[1:3]):
                        found[int(each.name)] = _parent(each)
        # Between fork and exec a plugin still has the command line of the update that starts it.
        return {pid for pid, parent in found.items() if parent not in found}


def _parent(process: Path) -> int:
    return int((process / "stat").read_text().rpartition(")")[2].split()[1])


@contextlib.contextmanager
def one_update_at_a_time(box: Box) -> Iterator[None]:
    """The context fails when two updates of the stack run at once in it, or none ran at all."""
    sampler = UpdatesAtOnce(box)
    sampler.start()
    try:
        yield
    finally:
        sampler.stop()
    assert sampler.most == 1, f"{sampler.most} updates ran at once"

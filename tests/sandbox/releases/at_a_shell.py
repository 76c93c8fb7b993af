"""A release started at a shell, and what its process prints while it goes on."""

import subprocess
import threading

from tests.sandbox.conftest import until
from tests.sandbox.releases.real_world import ADAPTER, RealWorld

UPDATING = "ls-triton-adapter updating"
"""What Pulumi prints when it begins to change the Deployment."""


class Reader(threading.Thread):
    """Reads a process' standard error while the test goes on."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self.lines: list[str] = []
        self._stream = process.stderr
        self.start()

    def run(self) -> None:
        assert self._stream is not None
        with self._stream as stream:
            for line in stream:
                self.lines.append(line)

    def has(self, text: str) -> bool:
        """Whether a line of it has this text."""
        return any(text in line for line in self.lines)


def start_deploy(
    world: RealWorld, behaviour: str, till: str = UPDATING
) -> tuple[subprocess.Popen[str], Reader]:
    """`slipway deploy --local` as a person starts it, until it prints `till`."""
    process = world.slipway(
        "deploy", ADAPTER, world.commit(behaviour).sha, "--reason", "a test", "--local"
    )
    reader = Reader(process)
    until(
        lambda: reader.has(till) or process.poll() is not None,
        f"it prints {till!r}",
        within=240.0,
    )
    assert process.poll() is None, reader.lines
    return process, reader


def output_of(process: subprocess.Popen[str], reader: Reader) -> str:
    """Wait for the end; what was printed."""
    process.wait(timeout=240)
    reader.join(timeout=10)
    assert process.stdout is not None
    with process.stdout as stream:
        return stream.read() + "".join(reader.lines)

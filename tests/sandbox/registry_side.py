"""A registry that dies while it is being pushed to."""

import os
import signal

from sandbox import image_registry
from sandbox.box import Box
from sandbox.processes import Processes
from tests.sandbox.conftest import until


def uploads_under_way(box: Box) -> bool:
    """Whether the registry is receiving a layer, of which it has some bytes already."""
    found = image_registry.folder(box).glob("images/**/_uploads/*/data")
    try:
        return any(each.stat().st_size > 0 for each in found)
    except FileNotFoundError:
        return False  # one has arrived, and is put away, right while it is looked for


def kill_registry(box: Box) -> None:
    """End it at once, as a power cut does; its part's `start` brings it back."""
    process = Processes(box).find("docker-registry")
    assert process is not None
    os.killpg(process.pid, signal.SIGKILL)
    until(lambda: not process.alive, "the registry is dead")

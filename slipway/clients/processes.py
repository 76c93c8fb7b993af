"""Processes of this machine, told apart by what the kernel knows of them (proc(5))."""

import os
import socket
from pathlib import Path

from slipway.domain.process import ProcessIdentity

_STARTTIME = 19
"""The place of `starttime` after the command's name in /proc/PID/stat (field 22)."""


class LocalProcesses:
    """The `Processes` port on /proc; where there is none, nothing is known of any process."""

    def own(self) -> ProcessIdentity | None:
        """See `slipway.ports.Processes`."""
        return identity_of(os.getpid())

    def has_ended(self, process: ProcessIdentity) -> bool:
        """See `slipway.ports.Processes`."""
        mine = self.own()
        if mine is None or process.host != mine.host:
            return False
        return process.boot != mine.boot or _started(process.pid) != process.started


def identity_of(pid: int) -> ProcessIdentity | None:
    """How a process of this machine can be recognised later; None where that can't be told."""
    started = _started(pid)
    boot = _read(Path("/proc/sys/kernel/random/boot_id")).strip()
    if started is None or not boot:
        return None
    return ProcessIdentity(_host(), boot, pid, started)


def _host() -> str:
    """This machine's name, and the namespace in which its process ids count."""
    return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None for one that has ended."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    if not fields or fields[0] in "ZX":
        return None
    return int(fields[_STARTTIME])


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""

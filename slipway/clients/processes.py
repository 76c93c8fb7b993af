"""Processes of this machine, told apart by what the kernel knows of them (proc(5))."""

import hashlib
import os
import socket
from pathlib import Path

from slipway.domain.process import ProcessIdentity

MACHINE_ID = Path("/etc/machine-id")
"""Unique to a machine (machine-id(5)); many containers have none."""
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
        if process.boot != mine.boot:
            # Else it may be another machine of the same name.
            return bool(_machine())
        return _started(process.pid) != process.started


def identity_of(pid: int) -> ProcessIdentity | None:
    """How a process of this machine can be recognised later; None where that can't be told."""
    started = _started(pid)
    boot = _read(Path("/proc/sys/kernel/random/boot_id")).strip()
    if started is None or not boot:
        return None
    return ProcessIdentity(_host(), boot, pid, started)


def _host() -> str:
    """This machine, by its name and its id, and the namespace in which its process ids count."""
    names = (socket.gethostname(), _machine(), str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(each for each in names if each)


def _machine() -> str:
    """This machine's id, hashed as it is not to be shown (machine-id(5)); empty for none."""
    told = _read(MACHINE_ID).strip().encode()[:64]
    return hashlib.blake2b(b"slipway", key=told, digest_size=6).hexdigest() if told else ""


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

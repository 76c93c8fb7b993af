"""Processes of this machine, told apart by what the kernel knows of them (proc(5))."""

import hashlib
import os
import re
import socket
from pathlib import Path

from slipway.domain.process import ProcessIdentity

MACHINE_ID = Path("/etc/machine-id")
"""Unique to a machine (machine-id(5)); many containers have none."""
PROC = Path("/proc")
_ID = re.compile(r"[0-9a-f]{32}")
_STARTTIME = 19
"""The place of `starttime` after the command's name in /proc/PID/stat (field 22)."""


class LocalProcesses:
    """The `Processes` port on /proc; where there is none, nothing is known of any process."""

    def own(self) -> ProcessIdentity | None:
        """See `slipway.ports.Processes`."""
        return identity_of(os.getpid())

    def has_ended(self, process: ProcessIdentity | None) -> bool:
        """See `slipway.ports.Processes`."""
        mine = self.own()
        if process is None or mine is None or process.host != mine.host:
            return False
        if process.boot != mine.boot:
            # Else it may be another machine of the same name.
            return bool(_machine())
        started = _started(process.pid)
        return _is_gone(process.pid) if started is None else started != process.started


def identity_of(pid: int) -> ProcessIdentity | None:
    """How a process of this machine can be recognised later; None where that can't be told."""
    started = _started(pid)
    boot = _read(Path("/proc/sys/kernel/random/boot_id")).strip()
    if not started or not boot:
        return None
    return ProcessIdentity(_host(), boot, pid, started)


def _host() -> str:
    """This machine, by its name and its id, and the namespace in which its process ids count."""
    names = (socket.gethostname(), _machine(), str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(each for each in names if each)


def _machine() -> str:
    """This machine's id, hashed as it is not to be shown (machine-id(5)); empty for none."""
    told = _read(MACHINE_ID).strip()
    if not _ID.fullmatch(told) or not told.strip("0"):
        return ""  # also `uninitialized`, which an image has before its first start
    return hashlib.blake2b(b"slipway", key=told.encode(), digest_size=6).hexdigest()


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None where it can't be read.

    0, as which none of ours has started, for one that has ended and is not waited for yet.
    """
    fields = _read(PROC / str(pid) / "stat").rpartition(")")[2].split()
    if not fields:
        return None
    return 0 if fields[0] in "ZX" else int(fields[_STARTTIME])


def _is_gone(pid: int) -> bool:
    """Whether there is no such process: one of another user may only be hidden (proc(5))."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""

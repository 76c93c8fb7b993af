"""How much memory a sandbox takes: its processes, with all that they have started."""

from collections import defaultdict
from pathlib import Path

from sandbox.box import Box
from sandbox.processes import Processes

PODS = "pods"
"""What containerd's shims run: they outlive containerd, so they are nobody's children."""


def by_process(box: Box) -> dict[str, float]:
    """Name → MiB of proportional set size: what is shared counts once over all processes."""
    roots = {process.pid: process.name for process in Processes(box).all() if process.alive}
    parents = _parents()
    used: defaultdict[str, float] = defaultdict(float)
    for pid in parents:
        name = _root_of(pid, parents, roots) or (PODS if _belongs(pid, parents, box) else "")
        if name:
            used[name] += _proportional_set_size(pid)
    return dict(used)


def _root_of(pid: int, parents: dict[int, int], roots: dict[int, str]) -> str:
    while pid:
        if pid in roots:
            return roots[pid]
        pid = parents.get(pid, 0)
    return ""


def _belongs(pid: int, parents: dict[int, int], box: Box) -> bool:
    """Whether this process, or one above it, was started with a path of the box."""
    while pid > 1:
        if str(box.root).encode() in _arguments(pid):
            return True
        pid = parents.get(pid, 0)
    return False


def _parents() -> dict[int, int]:
    found = {}
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            fields = _read(path / "stat").rpartition(b")")[2].split()
            if fields:
                found[int(path.name)] = int(fields[1])
    return found


def _arguments(pid: int) -> bytes:
    return _read(Path(f"/proc/{pid}/cmdline"))


def _proportional_set_size(pid: int) -> float:
    lines = _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(b"Pss:")) / 1024


def _read(path: Path) -> bytes:
    """A file of /proc; nothing when its process has ended meanwhile."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return b""

"""The sandbox under a soak: what can be struck in it, and how that comes back."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx

from sandbox import example, prefect_server, pulumi
from sandbox.box import Box
from sandbox.example import STACK
from sandbox.image_registry import Registry
from sandbox.kubernetes import Kubernetes
from sandbox.part import Part
from sandbox.parts import WITHOUT_GITHUB, Example
from sandbox.prefect_server import Prefect, start_worker
from sandbox.processes import PartFailed, Processes
from tests.sandbox.releases.powerless import processes_of
from tests.soak.figures import NEEDED, Struck
from tests.soak.plan import Blow, Strike, Victim

SOAK, READY_WITHIN = 1, 40
LOOK_EVERY = 0.2
TRIES = 3
BACK_WITHIN = 120.0
APPEARS_WITHIN = 60.0
"""Seconds for which something to strike is waited for."""
SIGNALS = {Blow.KILL: signal.SIGKILL, Blow.STOP: signal.SIGSTOP, Blow.TERM: signal.SIGTERM}
PARTS_OF: Mapping[Victim, str] = {
    Victim.WORKER: "prefect-worker",
    Victim.PREFECT: "prefect-server",
    Victim.REGISTRY: "docker-registry",
    Victim.API_SERVER: "kube-apiserver",
}
"""The victims that the sandbox starts, and somebody would start again."""
RESTARTS: Mapping[Victim, Callable[[Box], None]] = {
    Victim.WORKER: start_worker,
    Victim.PREFECT: Prefect().start,
    Victim.REGISTRY: Registry().start,
    Victim.API_SERVER: Kubernetes().start,
}


class QuickExample(Example):
    """The example, whose releases are proven soon."""

    def start(self, box: Box) -> None:
        """Shorten soak and patience in slipway.toml."""
        super().start(box)
        file = box.folder() / "slipway.toml"
        quick = f'namespace = "apps"\nsoak = {SOAK}\nready_within = {READY_WITHIN}'
        file.write_text(file.read_text().replace('namespace = "apps"', quick))


class RecoveryWatch:
    """`slipway recover --watch`, as a service beside the worker."""

    name = "watch"
    needs: Sequence[str] = ("worker",)
    processes: Sequence[str] = ("recover-watch",)

    def start(self, box: Box) -> None:
        """Start it."""
        program = "from slipway.cli.main import main; main()"
        Processes(box).start(
            "recover-watch",
            [sys.executable, "-c", program, "recover", "--watch"],
            environment={**prefect_server.settings(box), **example.variables(box)},
        )

    def clean(self, box: Box) -> None:
        """Nothing stays behind."""

    def environment(self, box: Box) -> Mapping[str, str]:
        """Nothing more."""
        del box
        return {}


PARTS: Sequence[Part] = (
    *(QuickExample() if each.name == "example" else each for each in WITHOUT_GITHUB),
    RecoveryWatch(),
)


def strike(box: Box, what: Strike, over: Callable[[], bool]) -> Struck | None:
    """Let a blow fall as soon as there is something to strike; None where nothing appeared."""
    deadline = time.monotonic() + APPEARS_WITHIN
    while not _there(box, what.victim):
        if over() or time.monotonic() > deadline:
            return None
        time.sleep(LOOK_EVERY)
    time.sleep(what.after)
    there = sorted(_there(box, what.victim))
    if not there:
        return None
    struck = there[int(what.which * len(there))]
    recovers = what.victim is Victim.FLOW and _recovers(struck)
    fell = time.time()
    if not _send(struck, SIGNALS[what.blow]):
        return None
    if what.blow is Blow.STOP:
        time.sleep(what.lasts)
        _send(struck, signal.SIGCONT)
    elif what.victim in RESTARTS:
        time.sleep(what.lasts)
        _end(box, what.victim)
        _start_again(box, what.victim)
    else:
        return Struck(what, abs(struck), fell, fell, recovers)
    back = _worker_back(box, over) if what.victim in NEEDED else time.time()
    return Struck(what, abs(struck), fell, back, recovers)


def _worker_back(box: Box, over: Callable[[], bool]) -> float:
    """When the worker has asked Prefect for work again: its own start takes seconds."""
    since = datetime.now(UTC)
    deadline = time.monotonic() + BACK_WITHIN
    address = f"{prefect_server.api(box)}/work_pools/{prefect_server.POOL}/queues/default"
    while not over() and time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            asked = httpx.get(address, timeout=5.0).raise_for_status().json()["last_polled"]
            if asked and (at := datetime.fromisoformat(asked)) > since:
                return at.timestamp()
        time.sleep(LOOK_EVERY)
    return time.time()


def pause(seconds: float, over: Callable[[], bool]) -> None:
    """Let some time pass, unless all is over."""
    deadline = time.monotonic() + seconds
    while not over() and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)


def _recovers(pid: int) -> bool:
    """Whether a flow process was started for a stack, and not for a target."""
    with contextlib.suppress(OSError):
        around = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
        return f"PREFECT__DEPLOYMENT_NAME={STACK.replace('/', ':')}" in around
    return False


def flows_at_work(box: Box) -> list[int]:
    """The processes of flow runs."""
    return [pid for pid, words in processes_of(box) if words[1:3] == ["-m", "prefect.engine"]]


def _there(box: Box, victim: Victim) -> list[int]:
    """What can be struck now: process ids; a negative one is a group's."""
    if victim is Victim.FLOW:
        return flows_at_work(box)
    if victim is Victim.PULUMI:
        return _engines(box)
    process = Processes(box).find(PARTS_OF[victim])
    if process is None or not process.alive:
        return []
    # The server's own child serves; a worker's children are flow processes, which go on.
    return [-process.pid if victim is Victim.PREFECT else process.pid]


def _engines(box: Box) -> list[int]:
    command = str(pulumi.command(box))
    found = {pid for pid, words in processes_of(box) if words[0] == command and "up" in words}
    # Between fork and exec a plugin still has the command line of the update that starts it.
    return [pid for pid in found if _parent(pid) not in found]


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def _send(pid: int, what: signal.Signals) -> bool:
    try:
        os.killpg(-pid, what) if pid < 0 else os.kill(pid, what)
    except ProcessLookupError:
        return False
    return True


def _start_again(box: Box, victim: Victim) -> None:
    """A part that does not come up in its time is started anew."""
    for _ in range(TRIES - 1):
        with contextlib.suppress(PartFailed):
            RESTARTS[victim](box)
            return
        _end(box, victim)
    RESTARTS[victim](box)


def _end(box: Box, victim: Victim) -> None:
    """See it gone: whoever was asked to end is killed when it has not done so by now."""
    process = Processes(box).find(PARTS_OF[victim])
    assert process is not None
    # A worker's group are its flow processes too, which go on without it.
    while process.alive or (victim is not Victim.WORKER and _has_members(process.pid)):
        _send(process.pid if victim is Victim.WORKER else -process.pid, signal.SIGKILL)
        time.sleep(LOOK_EVERY)


def _has_members(group: int) -> bool:
    """Whether a process of the group runs; one that only nobody has waited for does not."""
    for each in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its, *_ = each.read_text().rpartition(")")[2].split()
            if int(its) == group and state not in "ZX":
                return True
    return False

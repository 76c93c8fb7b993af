"""What every Processes promises: the one of the stories, and this machine's own."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from slipway.clients.processes import LocalProcesses
from slipway.domain.process import ProcessIdentity
from slipway.ports import Processes
from tests.fakes.processes import FakeProcesses, Process

PROGRAM = (
    "import json; from dataclasses import asdict; "
    "from slipway.clients.processes import LocalProcesses; "
    "print(json.dumps(asdict(LocalProcesses().own())), flush=True); input()"
)


class Child(Protocol):
    """A process that works until it is told otherwise, and who can see it."""

    processes: Processes
    identity: ProcessIdentity

    def stop(self) -> None:
        """SIGSTOP: it does not move, and may go on."""

    async def kill(self) -> None:
        """SIGKILL."""

    async def finish(self) -> None:
        """Let it exit in peace."""


class InMemory:
    def __init__(self) -> None:
        self._process, self._may_end = Process("child"), asyncio.Event()
        self.processes: Processes = FakeProcesses([self._process])
        self._done = self._process.start(self._work())

    async def begun(self) -> None:
        self._told: asyncio.Future[ProcessIdentity] = asyncio.get_running_loop().create_future()
        self.identity = await self._told

    async def _work(self) -> None:
        own = self.processes.own()
        assert own is not None
        self._told.set_result(own)
        await self._may_end.wait()

    def stop(self) -> None:
        self._process.stop()

    async def kill(self) -> None:
        self._process.kill()

    async def finish(self) -> None:
        self._may_end.set()
        await self._done


class OnThisMachine:
    def __init__(self) -> None:
        self.processes: Processes = LocalProcesses()
        words = [sys.executable, "-c", PROGRAM]
        pipe = subprocess.PIPE
        self._child = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True)

    async def begun(self) -> None:
        assert self._child.stdout is not None
        self.identity = ProcessIdentity(**json.loads(self._child.stdout.readline()))

    def stop(self) -> None:
        self._child.send_signal(signal.SIGSTOP)

    async def kill(self) -> None:
        self._child.kill()
        self._child.communicate()

    async def finish(self) -> None:
        self._child.communicate("\n")


@pytest.fixture(params=[InMemory, OnThisMachine])
async def child(request: pytest.FixtureRequest) -> AsyncIterator[Child]:
    made = request.param()
    await made.begun()
    yield made
    await made.kill()


async def test_a_process_at_work_has_not_ended(child: Child) -> None:
    assert not child.processes.has_ended(child.identity)


async def test_of_a_process_that_nobody_could_tell_nothing_is_proven(child: Child) -> None:
    assert not child.processes.has_ended(None)


async def test_a_process_that_is_stopped_has_not_ended(child: Child) -> None:
    child.stop()

    assert not child.processes.has_ended(child.identity)


async def test_a_process_that_was_killed_has_ended(child: Child) -> None:
    await child.kill()

    assert child.processes.has_ended(child.identity)


async def test_a_process_that_has_exited_in_peace_has_ended(child: Child) -> None:
    await child.finish()

    assert child.processes.has_ended(child.identity)

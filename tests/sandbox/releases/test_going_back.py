"""Rollbacks, interruptions and gaps on real parts."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest

from flows import recover
from sandbox.processes import Processes
from slipway.domain.release import Kind, State
from tests.sandbox.conftest import until
from tests.sandbox.releases.real_world import ADAPTER, RealWorld, after_up, before_up

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(300)]


async def deployed(world: RealWorld, behaviour: str = "good") -> str:
    """A fresh good commit, live."""
    outcome = await world.deploy(world.commit(behaviour))
    assert outcome.state is State.LIVE, outcome.release.reason
    return outcome.release.image


async def test_rollbacks_go_to_a_commit_to_what_was_before_and_never_in_circles(
    world: RealWorld,
) -> None:
    first = world.commit()
    assert (await world.deploy(first)).state is State.LIVE
    await deployed(world)
    third = await deployed(world)

    once = await world.roll_back()
    twice = await world.roll_back()
    unpublished = await world.roll_back(world.commit())

    assert once.state is State.LIVE, once.release.reason
    assert once.release.kind is Kind.ROLLBACK
    assert third not in {once.release.image, twice.release.image}
    assert twice.release.commit == first
    assert await world.running() == {str(twice.release.digest)}
    assert (unpublished.state, unpublished.code) == (State.REFUSED, "image-missing")
    assert first.short in unpublished.release.reason


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
        return any(text in line for line in self.lines)


def start_deploy(world: RealWorld, behaviour: str) -> tuple[subprocess.Popen[str], Reader]:
    """`slipway deploy --local` as a person starts it, until Pulumi changes the Deployment."""
    process = world.slipway("deploy", ADAPTER, world.commit(behaviour).sha, "--local")
    reader = Reader(process)
    until(
        lambda: reader.has("ls-triton-adapter updating") or process.poll() is not None,
        "the update runs",
    )
    assert process.poll() is None, reader.lines
    return process, reader


def output_of(process: subprocess.Popen[str], reader: Reader) -> str:
    """Wait for the end; what was printed."""
    process.wait(timeout=120)
    reader.join(timeout=10)
    assert process.stdout is not None
    with process.stdout as stream:
        return stream.read() + "".join(reader.lines)


@pytest.mark.parametrize("received", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_during_the_update_ends_restored_even_when_it_comes_twice(
    world: RealWorld, received: signal.Signals
) -> None:
    image = await deployed(world)
    running = await world.running()

    process, reader = start_deploy(world, "never-ready")
    for _ in range(2):
        process.send_signal(received)
    printed = output_of(process, reader)

    assert process.returncode == 3, printed
    assert (await world.value())[0] == image
    assert await world.running() == running
    newest = world.history()[0]
    assert newest["state"] == "restored"
    assert newest["reason"].startswith("cancelled")
    assert not (await (await world.ports()).stack.state()).busy


async def test_a_process_killed_during_the_update_is_finished_by_recovery(world: RealWorld) -> None:
    await deployed(world)

    process, reader = start_deploy(world, "good")
    os.kill(process.pid, signal.SIGKILL)
    output_of(process, reader)
    assert world.history()[0]["state"] == "releasing"
    outcomes = await recover.finish_all(await world.ports())

    assert [each.state for each in outcomes] == [State.LIVE], outcomes[0].release.reason
    assert await world.running() == {str(outcomes[0].release.digest)}
    state = await (await world.ports()).stack.state()
    assert not state.busy
    assert state.pending_operations == 0


async def test_a_cluster_that_is_gone_during_verify_needs_attention_and_recovers_to_live(
    world: RealWorld,
) -> None:
    await deployed(world)
    ports = await world.ports(ready_within=15.0, soak=10.0)

    with frozen_later(world) as freeze:
        outcome = await world.deploy(world.commit(), ports=after_up(ports, freeze))
    until(lambda: world.kubectl("get", "pods"), "the API server answers again")
    [recovered] = await recover.finish_all(await world.ports())

    assert (outcome.state, outcome.code) == (State.NEEDS_ATTENTION, "unproven")
    assert (await world.value())[0] == outcome.release.image
    assert recovered.state is State.LIVE, recovered.release.reason


async def test_a_cluster_that_is_gone_during_apply_puts_esc_back_and_is_restored_later(
    world: RealWorld,
) -> None:
    image = await deployed(world)
    running = await world.running()
    ports = await world.ports(ready_within=15.0)

    with frozen_later(world) as freeze:
        outcome = await world.deploy(world.commit(), ports=before_up(ports, freeze))
        value = (await world.value())[0]
    until(lambda: world.kubectl("get", "pods"), "the API server answers again")
    [recovered] = await recover.finish_all(await world.ports())

    assert outcome.state is State.NEEDS_ATTENTION, outcome.release.reason
    assert value == image
    assert recovered.state is State.RESTORED, recovered.release.reason
    assert await world.running() == running


@contextlib.contextmanager
def frozen_later(world: RealWorld) -> Iterator[Callable[[], Awaitable[None]]]:
    """Gives what stops the API server; it goes on when the context ends."""
    apiserver = Processes(world.box).find("kube-apiserver")
    assert apiserver is not None

    async def freeze() -> None:
        os.kill(apiserver.pid, signal.SIGSTOP)

    try:
        yield freeze
    finally:
        os.kill(apiserver.pid, signal.SIGCONT)

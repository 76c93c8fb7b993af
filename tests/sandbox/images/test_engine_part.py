"""The sandbox's engine leaves nothing behind, however it ends."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from sandbox.box import USUAL_DOCKER, Box
from sandbox.docker_engine import Docker, answers, engine
from sandbox.example_images import BASE_IMAGE
from sandbox.part import stop_all
from sandbox.processes import Processes
from tests.sandbox.conftest import until

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(
        answers(USUAL_DOCKER), reason="the engine that answers would be taken instead"
    ),
]


@pytest.fixture
def box() -> Iterator[Box]:
    box = Box(Path(tempfile.mkdtemp(prefix="slipway-engine-")))
    yield box
    stop_all(box, [Docker()])
    shutil.rmtree(box.root)


def processes_of(box: Box) -> list[str]:
    """What runs with this box in its arguments, and the build's step, which runs inside."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(box.root) in words or f"sleep 3{box.id}" in words:
            found.append(words)
    return found


def mounts_of(box: Box) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if str(box.root) in line]


def run_forever(box: Box) -> None:
    """A container that runs until somebody ends it."""
    client = docker.DockerClient(base_url=engine(box), version="auto")
    try:
        command = ["sh", "-c", f"while :; do : sleep 3{box.id}; sleep 1; done"]
        client.containers.run(BASE_IMAGE, command, detach=True, network_mode="none")
    finally:
        client.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_engine_that_ends_takes_its_containers_and_mounts_along(
    box: Box, number: signal.Signals
) -> None:
    part = Docker()
    part.start(box)
    run_forever(box)
    until(lambda: any(f"sleep 3{box.id}" in each for each in processes_of(box)), "its command runs")

    process = Processes(box).find("dockerd")
    assert process is not None
    os.killpg(process.pid, number)
    until(lambda: not process.alive, "the engine has ended")
    stop_all(box, [part])

    assert processes_of(box) == []
    assert mounts_of(box) == []


def test_an_engine_starts_again_where_it_was(box: Box) -> None:
    part = Docker()
    part.start(box)
    process = Processes(box).find("dockerd")
    assert process is not None
    os.killpg(process.pid, signal.SIGKILL)
    until(lambda: not process.alive, "the engine has ended")
    stop_all(box, [part])

    part.start(box)

    client = docker.DockerClient(base_url=engine(box), version="auto")
    try:
        assert client.images.list(name=BASE_IMAGE)
    finally:
        client.close()

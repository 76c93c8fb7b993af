"""The frame: a killed part is named, a failed `up` is not called up, `down` leaves nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import containerd
from sandbox.box import Box, Options
from sandbox.kubernetes import Kubernetes
from sandbox.part import crashed, is_up, start_all, stop_all
from sandbox.processes import Processes
from tests.sandbox.conftest import require_prepared, until

pytestmark = pytest.mark.sandbox
PARTS = [Kubernetes()]


@pytest.fixture
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    require_prepared()
    made = Box(tmp_path_factory.mktemp("f"))
    yield made
    stop_all(made, PARTS)


def test_a_killed_part_is_named_and_down_leaves_nothing(box: Box) -> None:
    start_all(box, PARTS)
    assert is_up(box, PARTS)
    start_all(box, PARTS)  # a second time is quick and starts nothing twice

    scheduler = Processes(box).find("kube-scheduler")
    assert scheduler is not None
    os.kill(scheduler.pid, signal.SIGKILL)
    until(lambda: crashed(box, PARTS), "the crash is seen")
    named = crashed(box, PARTS)
    up = is_up(box, PARTS)
    stop_all(box, PARTS)

    assert named == [("kubernetes", "kube-scheduler")]
    assert not up
    assert not _arguments_with(str(box.root))
    assert str(box.root) not in Path("/proc/self/mountinfo").read_text()
    links = subprocess.run(["/sbin/ip", "link"], capture_output=True, text=True, check=True).stdout
    assert containerd.bridge(box) not in links
    groups = list(Path("/sys/fs/cgroup").glob(f"**{containerd.control_group(box)}"))
    assert not groups


def test_a_part_that_was_never_started_is_not_up(box: Box) -> None:
    assert not is_up(box, PARTS)


def test_the_options_of_up_are_kept_for_the_commands_after_it(tmp_path: Path) -> None:
    box = Box(tmp_path, Options(kubeconfig="/elsewhere/config"))
    box.remember_options()

    assert Box(tmp_path).with_remembered_options().options.kubeconfig == "/elsewhere/config"


def test_an_unknown_log_is_refused_with_what_there_is(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "--state", str(tmp_path), "logs", "nothing"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "no log of 'nothing'" in done.stderr


def _arguments_with(text: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                arguments = (folder / "cmdline").read_text(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if text in arguments:
                found.append(int(folder.name))
    return found

"""`python -m sandbox`: its options where people type them, and what it says when nothing runs."""

import subprocess
import sys
from pathlib import Path

from sandbox.box import Box, Options
from sandbox.memory import by_process
from sandbox.part import UP
from sandbox.processes import Processes

ROOT = Path(__file__).parents[2]


def sandbox(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_env_of_a_sandbox_that_is_not_up_says_so_in_a_line(tmp_path: Path) -> None:
    done = sandbox("env", "--state", str(tmp_path))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "the sandbox is not up: python -m sandbox up (status tells why)\n"


def test_options_stand_before_or_after_the_command(tmp_path: Path) -> None:
    before = sandbox("--state", str(tmp_path), "logs", "nothing")
    after = sandbox("logs", "--state", str(tmp_path), "nothing")

    assert before.returncode == after.returncode == 1
    assert "no log of 'nothing'" in before.stderr
    assert before.stderr == after.stderr


def test_up_with_other_options_than_what_is_up_is_refused(tmp_path: Path) -> None:
    Box(tmp_path, Options(kubeconfig="/mine")).remember_options()
    (tmp_path / UP).touch()

    same = sandbox("up", "--state", str(tmp_path), "--kubeconfig", "/mine")
    none = sandbox("up", "--state", str(tmp_path))
    other = sandbox("up", "--state", str(tmp_path), "--kubeconfig", "/theirs")

    assert (same.returncode, none.returncode, other.returncode) == (0, 0, 1)
    assert "is up with --kubeconfig /mine, not with --kubeconfig /theirs" in other.stderr


def test_a_relative_path_means_the_folder_where_it_was_typed(tmp_path: Path) -> None:
    Box(tmp_path, Options(pulumi=str(ROOT / "bin/pulumi"))).remember_options()
    (tmp_path / UP).touch()

    assert sandbox("up", "--state", str(tmp_path), "--pulumi", "bin/pulumi").returncode == 0


def test_what_a_process_has_started_counts_as_its_memory(tmp_path: Path) -> None:
    box = Box(tmp_path)
    processes = Processes(box)
    hold = (
        "import time; x = bytearray(b'y') * (64 << 20); print(len(x), flush=True); time.sleep(60)"
    )
    shell = f'{sys.executable} -c "{hold}" & wait'
    started = processes.start("parent", ["/bin/sh", "-c", shell])
    try:
        processes.wait("parent", "the child has its memory", lambda: _printed(processes), 30)
        used = by_process(box)
    finally:
        processes.end(started)

    assert set(used) == {"parent"}
    assert used["parent"] > 64


def _printed(processes: Processes) -> bool:
    return bool(processes.tail("parent"))

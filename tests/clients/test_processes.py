"""Processes of this machine: recognised while they live, and never taken for another."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.clients import processes
from slipway.clients.processes import LocalProcesses
from slipway.domain.process import ProcessIdentity


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that tells a machine from all others."""
    file = tmp_path / "machine-id"
    file.write_text(f"{'0123456789abcdef' * 2}\n")
    monkeypatch.setattr(processes, "MACHINE_ID", file)
    return file


@pytest.fixture
def mine() -> ProcessIdentity:
    found = LocalProcesses().own()
    assert found is not None
    return found


def test_this_process_has_not_ended(mine: ProcessIdentity) -> None:
    assert not LocalProcesses().has_ended(mine)


def test_an_id_that_was_given_out_again_is_another_process(mine: ProcessIdentity) -> None:
    assert LocalProcesses().has_ended(replace(mine, started=mine.started - 1))


def test_before_the_last_start_of_the_machine_everything_has_ended(mine: ProcessIdentity) -> None:
    assert LocalProcesses().has_ended(replace(mine, boot="an earlier one"))


def test_of_another_machines_processes_nothing_is_proven(mine: ProcessIdentity) -> None:
    assert not LocalProcesses().has_ended(replace(mine, host="another", pid=1))


def test_another_machine_of_the_same_name_is_not_this_one_started_anew(
    mine: ProcessIdentity, machine: Path
) -> None:
    machine.write_text(f"{'f' * 32}\n")

    assert not LocalProcesses().has_ended(replace(mine, boot="an earlier one"))
    assert not LocalProcesses().has_ended(replace(mine, started=mine.started - 1))


@pytest.mark.parametrize("none", ["", "\n", None, "uninitialized\n", "0" * 32, "g" * 32])
def test_where_machines_are_not_told_apart_a_start_proves_nothing(
    machine: Path, none: str | None
) -> None:
    machine.unlink() if none is None else machine.write_text(none)
    mine = LocalProcesses().own()
    assert mine is not None

    assert not LocalProcesses().has_ended(replace(mine, boot="an earlier one"))
    assert LocalProcesses().has_ended(replace(mine, started=mine.started - 1))


def test_a_process_that_can_only_not_be_seen_has_not_ended(
    mine: ProcessIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's, where /proc is mounted with `hidepid`."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    theirs = processes.identity_of(child.pid)
    assert theirs is not None
    hidden = tmp_path / "proc" / str(mine.pid)
    hidden.mkdir(parents=True)
    (hidden / "stat").write_text(Path("/proc/self/stat").read_text())
    monkeypatch.setattr(processes, "PROC", tmp_path / "proc")

    unseen = LocalProcesses().has_ended(theirs)
    child.kill()
    child.wait()

    assert not unseen
    assert LocalProcesses().has_ended(theirs)


def test_one_that_has_ended_and_is_not_waited_for_has_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    theirs = processes.identity_of(child.pid)
    assert theirs is not None
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    ended = LocalProcesses().has_ended(theirs)
    child.wait()

    assert ended


def test_a_machines_id_is_not_told(mine: ProcessIdentity, machine: Path) -> None:
    assert machine.read_text().strip() not in str(mine)
    assert machine.read_text()[:8] not in repr(mine)

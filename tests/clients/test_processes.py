"""Processes of this machine: recognised while they live, and never taken for another."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from slipway.clients.processes import LocalProcesses
from slipway.domain.process import ProcessIdentity

PROGRAM = (
    "import json; from dataclasses import asdict; "
    "from slipway.clients.processes import LocalProcesses; "
    "print(json.dumps(asdict(LocalProcesses().own())), flush=True); input()"
)


@pytest.fixture
def mine() -> ProcessIdentity:
    found = LocalProcesses().own()
    assert found is not None
    return found


def test_this_process_has_not_ended(mine: ProcessIdentity) -> None:
    assert not LocalProcesses().has_ended(mine)


def test_another_process_has_ended_only_when_it_has() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin, child.stdout:
        theirs = ProcessIdentity(**json.loads(child.stdout.readline()))
        alive = LocalProcesses().has_ended(theirs)
        child.kill()
        child.wait()

    assert not alive
    assert LocalProcesses().has_ended(theirs)


def test_an_id_that_was_given_out_again_is_another_process(mine: ProcessIdentity) -> None:
    assert LocalProcesses().has_ended(replace(mine, started=mine.started - 1))


def test_before_the_last_start_of_the_machine_everything_has_ended(mine: ProcessIdentity) -> None:
    assert LocalProcesses().has_ended(replace(mine, boot="an earlier one"))


def test_of_another_machines_processes_nothing_is_proven(mine: ProcessIdentity) -> None:
    assert not LocalProcesses().has_ended(replace(mine, host="another", pid=1))

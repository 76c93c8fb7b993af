"""Processes of this machine: recognised while they live, and never taken for another."""

from dataclasses import replace

import pytest

from slipway.clients.processes import LocalProcesses
from slipway.domain.process import ProcessIdentity


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

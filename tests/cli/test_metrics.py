"""`slipway metrics`: what people and scripts read of how releasing goes."""

import asyncio
from datetime import UTC, datetime

import pytest

from tests.cli.conftest import ADAPTER, Terminal
from tests.fakes.restrictions import EPOCH

LONG_AGO = "2025-12-31"
"""The fake ledger's time begins with 2026."""


@pytest.fixture
def eventful(terminal: Terminal) -> Terminal:
    """One deploy, one that is restored, one that is rolled back."""
    terminal.deploy("second")
    terminal.deploy("crashing", code=3)
    terminal.deploy("third")
    terminal.json("rollback", ADAPTER, "--local", "--reason", "it is slow")
    return terminal


def test_scripts_read_the_four_keys(eventful: Terminal) -> None:
    found = eventful.json("metrics", ADAPTER, "--since", LONG_AGO)

    assert (found["deploys"], found["changed"], found["failed"]) == (2, 3, 2)
    assert found["change_failure_rate"] == pytest.approx(2 / 3)
    assert found["recovery_seconds"]["count"] == 2
    assert found["lead_time_seconds"]["count"] == 2
    assert 0 < found["deploys_per_day"] < 1
    [back] = found["rollbacks"]
    assert (back["target"], back["why"]) == (ADAPTER, "it is slow")
    assert back["to"] == eventful.world.commits["second"].sha


def test_a_restored_deploy_recovers_from_when_its_update_began(terminal: Terminal) -> None:
    """A build that takes long is no time in which production was troubled."""
    terminal.world.faults.before("builder.build", lambda: asyncio.sleep(600))
    terminal.deploy("crashing", code=3)

    found = terminal.json("metrics", ADAPTER, "--since", LONG_AGO)

    assert 0 < found["recovery_seconds"]["longest"] < 600


def test_commits_that_waited_for_one_deploy_all_have_their_lead_time(terminal: Terminal) -> None:
    terminal.deploy("third")  # with the second, after the first, which was found running

    found = terminal.json("metrics", ADAPTER, "--since", LONG_AGO)

    assert (found["deploys"], found["lead_time_seconds"]["count"]) == (1, 2)


def test_without_git_only_the_lead_times_are_missing(eventful: Terminal) -> None:
    eventful.world.git.commits.clear()
    eventful.world.git.branches.clear()

    found = eventful.json("metrics", ADAPTER, "--since", LONG_AGO)

    assert (found["deploys"], found["lead_time_seconds"]["count"]) == (2, 0)


def test_however_many_commits_git_does_not_know_it_is_fetched_once(eventful: Terminal) -> None:
    eventful.world.git.commits.clear()
    eventful.world.git.branches.clear()
    eventful.world.faults.effects.clear()

    eventful.json("metrics", ADAPTER, "--since", LONG_AGO)

    assert eventful.world.faults.effects.count("source.fetch") == 1


def test_people_read_the_keys_by_name_and_why_there_were_rollbacks(eventful: Terminal) -> None:
    shown = eventful.type("metrics", "--since", LONG_AGO).stdout

    for key in ("deployment frequency", "lead time", "change failure rate", "recovery time"):
        assert key in shown
    assert "it is slow" in shown
    assert "67%" in shown


def test_a_moment_that_is_to_come_is_refused(terminal: Terminal) -> None:
    result = terminal.type("metrics", "--since", "2999-01-01")

    assert result.exit_code == 2
    assert "still to come" in result.output


def test_the_span_is_thirty_days_by_default(terminal: Terminal) -> None:
    terminal.deploy("second")
    assert (datetime.now(UTC) - EPOCH).days > 30

    assert terminal.json("metrics", ADAPTER)["deploys"] == 0

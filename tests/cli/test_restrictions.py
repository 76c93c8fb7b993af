"""`slipway hold`, `release-hold` and `veto`."""

from datetime import datetime, timedelta

import pytest

from tests.cli.conftest import ADAPTER, SINK, Terminal
from tests.cli.test_releases import CONTRACT


def automatic(terminal: Terminal, name: str, code: int = 0) -> dict[str, object]:
    commit = terminal.world.commits[name].sha
    words = ("deploy", ADAPTER, commit, "--automatic", "--local")
    record: dict[str, object] = terminal.json(*words, code=code)
    return record


def test_a_hold_stops_automation_until_it_is_released(terminal: Terminal) -> None:
    placed = terminal.json("hold", ADAPTER, "--reason", "load test")
    held = automatic(terminal, "second", code=4)
    lifted = terminal.json("release-hold", ADAPTER, "--reason", "done")
    live = automatic(terminal, "second")

    assert (placed["target"], placed["reason"], placed["until"]) == (ADAPTER, "load test", None)
    assert set(held) >= CONTRACT
    assert str(held["reason"]).startswith("held: ")
    assert lifted == [placed]
    assert (live["state"], live["automatic"]) == ("live", True)


def test_one_of_several_holds_is_ended_by_its_number_and_the_others_stay(
    terminal: Terminal,
) -> None:
    old = terminal.json("hold", ADAPTER, "--reason", "old and forgotten")
    freeze = terminal.json("hold", ADAPTER, "--reason", "freeze for the fair", "--until", "40d")

    words = ("release-hold", ADAPTER, "--number", str(old["number"]), "--reason", "over")
    lifted = terminal.json(*words)

    assert lifted == [old]
    assert terminal.json("status", ADAPTER)["ledger"]["holds"] == [freeze]
    assert str(automatic(terminal, "second", code=4)["reason"]).startswith("held: ")
    assert f"(hold {freeze['number']})" in terminal.type("status", ADAPTER).stdout


def test_a_number_that_is_no_hold_of_the_target_ends_none_and_is_told_with_those_there_are(
    terminal: Terminal,
) -> None:
    placed = terminal.json("hold", ADAPTER, "--reason", "load test")
    other = terminal.json("hold", SINK, "--reason", "load test")

    result = terminal.type(
        "release-hold", ADAPTER, "--number", str(other["number"]), "--reason", "done"
    )
    terminal.type("release-hold", ADAPTER, "--reason", "done")
    again = terminal.type(
        "release-hold", ADAPTER, "--number", str(placed["number"]), "--reason", "done"
    )

    assert result.exit_code == again.exit_code == 2
    assert f"hold {placed['number']} does" in result.stderr
    assert "none does" in again.stderr
    assert terminal.json("status", SINK)["ledger"]["holds"] == [other]


def test_a_hold_is_about_the_commit_that_was_live_then(terminal: Terminal) -> None:
    terminal.deploy("second")

    placed = terminal.json("hold", ADAPTER, "--reason", "load test")

    assert placed["about"] == terminal.world.commits["second"].sha
    assert terminal.json("status", ADAPTER)["ledger"]["holds"] == [placed]
    terminal.deploy("third")
    assert terminal.json("status", ADAPTER)["ledger"]["holds"] == []


@pytest.mark.parametrize(
    ("until", "seconds"), [("90m", 5400), ("8h", 28800), ("3d", 259200), ("2w", 1209600)]
)
def test_a_hold_may_end_after_a_while(terminal: Terminal, until: str, seconds: int) -> None:
    before = datetime.now().astimezone()

    placed = terminal.json("hold", ADAPTER, "--reason", "load test", "--until", until)

    ends = datetime.fromisoformat(placed["until"])
    assert timedelta(0) <= ends - before - timedelta(seconds=seconds) < timedelta(minutes=1)


def test_a_hold_may_end_at_a_time(terminal: Terminal) -> None:
    placed = terminal.json("hold", ADAPTER, "--reason", "freeze", "--until", "2131-02-03T18:00")

    ends = datetime.fromisoformat(placed["until"]).astimezone()
    assert (ends.year, ends.month, ends.day, ends.hour) == (2131, 2, 3, 18)


@pytest.mark.parametrize("until", ["yesterday", "2001-01-01", "8x", ""])
def test_an_end_that_is_none_is_a_usage_error(terminal: Terminal, until: str) -> None:
    result = terminal.type("hold", ADAPTER, "--reason", "freeze", "--until", until)

    assert result.exit_code == 2
    assert terminal.json("status", ADAPTER)["ledger"]["holds"] == []


@pytest.mark.parametrize("command", ["hold", "release-hold"])
def test_a_target_that_is_none_is_told_with_those_there_are(
    terminal: Terminal, command: str
) -> None:
    result = terminal.type(command, "nowhere", "--reason", "freeze")

    assert result.exit_code == 2
    assert ADAPTER in result.stderr


@pytest.mark.parametrize("words", [("hold", ADAPTER), ("release-hold", ADAPTER), ("veto", ADAPTER)])
def test_nothing_is_done_without_a_reason(terminal: Terminal, words: tuple[str, ...]) -> None:
    assert terminal.type(*words).exit_code == 2


def test_people_read_who_holds_what_since_when_and_why(terminal: Terminal) -> None:
    terminal.deploy("second")
    terminal.type("rollback", ADAPTER, "--reason", "it is slow", "--local")
    terminal.deploy("crashing", code=3)

    history = terminal.type("history", ADAPTER).stdout.splitlines()
    status = terminal.type("status", ADAPTER).stdout

    assert any(line.startswith("held since ") and "it is slow" in line for line in history)
    crashing = terminal.world.commits["crashing"].short
    assert any(line.startswith(f"{crashing} vetoed since ") for line in history)
    assert "it is slow" in status
    assert f"{crashing} vetoed since" in status
    assert "it is slow" not in terminal.type("history", SINK).stdout


def test_history_tells_how_a_hold_ended_and_status_only_what_stands(terminal: Terminal) -> None:
    terminal.deploy("second")
    terminal.type("hold", ADAPTER, "--reason", "load test")
    terminal.type("release-hold", ADAPTER, "--reason", "the test is over")

    history = terminal.type("history", ADAPTER).stdout
    status = terminal.type("status", ADAPTER).stdout

    assert "load test; ended " in history
    assert "the test is over" in history
    assert "load test" not in status


def test_a_target_that_is_not_held_is_said_to_be_none(terminal: Terminal) -> None:
    result = terminal.type("release-hold", ADAPTER, "--reason", "done")

    assert (result.exit_code, "was not paused" in result.stdout) == (0, True)


def test_a_vetoed_commit_needs_a_person_who_says_why(terminal: Terminal) -> None:
    second = terminal.world.commits["second"]
    placed = terminal.json("veto", ADAPTER, second.short, "--reason", "it leaks")

    refused = terminal.deploy("second", code=4)
    words = ("deploy", ADAPTER, second.sha, "--local", "--even-if-vetoed", "the leak is elsewhere")
    live = terminal.json(*words)

    assert (placed["commit"], placed["reason"]) == (second.sha, "it leaks")
    assert refused["reason"].startswith("vetoed: ")
    assert live["state"] == "live"
    assert terminal.json("status", ADAPTER)["ledger"]["vetoes"] == [placed]


def test_a_veto_is_lifted_with_a_reason(terminal: Terminal) -> None:
    second = terminal.world.commits["second"]
    terminal.type("veto", ADAPTER, second.sha, "--reason", "it leaks")

    lifted = terminal.json("veto", ADAPTER, second.short, "--lift", "--reason", "mended outside")
    again = terminal.type("veto", ADAPTER, second.short, "--lift", "--reason", "once more")

    assert lifted["commit"] == second.sha
    assert "no veto" in again.stdout
    assert automatic(terminal, "second")["state"] == "live"


def test_a_commit_that_git_does_not_know_can_not_be_vetoed(terminal: Terminal) -> None:
    result = terminal.type("veto", ADAPTER, "f" * 40, "--reason", "it leaks")

    assert result.exit_code == 4
    assert "f" * 40 in result.stderr


def test_a_hold_that_is_over_by_the_ledgers_clock_is_said_to_be_none(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine's clock is behind: what it takes for in half an hour is past."""
    monkeypatch.setattr(terminal.world.ledger, "skew", timedelta(days=40_000).total_seconds())

    told = terminal.type("hold", ADAPTER, "--reason", "the database moves", "--until", "30m")

    assert told.exit_code == 2
    assert "was over when it began" in told.stderr
    assert terminal.json("status", ADAPTER)["ledger"]["holds"] == []

"""`slipway ledger`: verify, export, adopt."""

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from slipway.cli.main import main
from slipway.ledger.sql import SqlLedger
from tests.cli.conftest import ADAPTER, Terminal
from tests.ledger.examples import a_request, a_target, sqlite_at

STACK = "acme/oceanid-cluster/prod"


def forge(terminal: Terminal) -> str:
    """Somebody rewrites the newest release's last entry, and every hash after it."""
    ledger = terminal.world.ledger
    release = terminal.json("history", ADAPTER)[0]["id"]
    ledger.journals[release].pop()
    return str(release)


def test_a_ledger_as_it_was_written_is_in_order(terminal: Terminal) -> None:
    terminal.deploy("second")
    terminal.deploy("crashing", code=3)

    assert terminal.json("ledger", "verify") == {"journals": 3, "good": True, "flaws": []}
    assert "3 journals are as they were written" in terminal.type("ledger", "verify").stdout


def test_an_entry_that_was_cut_off_is_told_with_exit_code_5(terminal: Terminal) -> None:
    terminal.deploy("second")
    release = forge(terminal)

    result = terminal.type("ledger", "verify", "--offline")

    assert result.exit_code == 5
    assert f"release {release}: the journal ends at" in result.stdout


def test_a_release_that_only_the_stack_remembers_is_told(terminal: Terminal) -> None:
    terminal.deploy("second")
    release = terminal.json("history", ADAPTER)[0]["id"]
    del terminal.world.ledger.releases[release]
    del terminal.world.ledger.journals[release]

    assert terminal.json("ledger", "verify", "--offline")["good"]
    [flaw] = terminal.json("ledger", "verify", code=5)["flaws"]

    assert flaw["release"] == release
    assert f"update 2 of stack {STACK}" in flaw["what"]


def test_the_head_of_a_report_is_a_witness(terminal: Terminal) -> None:
    terminal.deploy("second")
    release = terminal.json("history", ADAPTER)[0]
    right, wrong = f"{release['id']}:{release['journal']}", f"{release['id']}:3:{'0' * 64}"

    assert terminal.json("ledger", "verify", "--head", right)["good"]
    assert not terminal.json("ledger", "verify", "--head", wrong, code=5)["good"]
    assert terminal.type("ledger", "verify", "--head", "nonsense").exit_code == 2


def test_a_stack_of_another_ledger_is_adopted_with_a_reason(terminal: Terminal) -> None:
    terminal.world.stack_tags["slipway:ledger"] = "another"
    refused = terminal.deploy("second", code=4)

    result = terminal.type("ledger", "adopt", STACK, "--reason", "its disk is gone")

    assert "slipway ledger adopt" in refused["reason"]
    assert (result.exit_code, "it named ledger another before" in result.stdout) == (0, True)
    assert terminal.deploy("second")["state"] == "live"
    assert "already" in terminal.type("ledger", "adopt", STACK, "--reason", "again").stdout
    again = terminal.json("ledger", "adopt", STACK, "--reason", "again")
    assert again == {"stack": STACK, "taken": False, "instead_of": None}


def test_a_stack_that_no_target_has_is_named_with_those_there_are(terminal: Terminal) -> None:
    result = terminal.type("ledger", "adopt", "acme/nothing/prod", "--reason", "why not")

    assert result.exit_code == 2
    assert STACK in result.stderr


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ledger.db"
    monkeypatch.setenv("SLIPWAY_LEDGER_URL", sqlite_at(path).url.get_secret_value())
    return path


async def fill(path: Path) -> None:
    ledger = SqlLedger(sqlite_at(path))
    await ledger.open(a_target(), a_request())
    await ledger.close()


@pytest.fixture
async def filled(database: Path) -> Path:
    await fill(database)
    return database


def test_an_export_holds_every_row_as_a_line_of_json(filled: Path) -> None:
    result = CliRunner().invoke(main, ["ledger", "export"])

    records = [json.loads(line) for line in result.stdout.splitlines()]
    tables = [each["table"] for each in records]
    assert result.exit_code == 0
    assert sorted(tables) == ["journal", "ledger", "release"]
    [release] = [each for each in records if each["table"] == "release"]
    assert (release["target"], release["why"]) == ("adapter-prod", "because — née")
    with sqlite3.connect(filled) as connection:
        [(hashed,)] = connection.execute("SELECT hash FROM journal").fetchall()
    connection.close()
    assert [each["hash"] for each in records if each["table"] == "journal"] == [hashed]

"""`slipway history`: what was released, newest first, from the ledger alone."""

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from slipway.cli.output import print_table
from slipway.domain.release import State
from tests.cli.conftest import ADAPTER, SINK, Terminal
from tests.cli.test_releases import CONTRACT
from tests.fakes.world import deploy_request

ROOT = Path(__file__).parents[2]


def test_it_lists_every_release_newest_first(terminal: Terminal) -> None:
    terminal.deploy("second")
    terminal.deploy("crashing", code=3)

    history = terminal.json("history", ADAPTER)

    assert [each["state"] for each in history] == ["restored", "live", "live"]
    assert [each["kind"] for each in history][-1] == "adopted"
    assert all(set(each) >= CONTRACT for each in history)
    assert terminal.json("history", SINK) == []


def test_a_record_tells_when_and_how_long(terminal: Terminal) -> None:
    terminal.deploy("second")

    release = terminal.json("history", ADAPTER, "--limit", "1")[0]

    began = datetime.fromisoformat(release["started"])
    ended = datetime.fromisoformat(release["ended"])
    assert release["duration_seconds"] == round((ended - began).total_seconds(), 3) > 0


def test_scripts_get_all_of_it_and_people_the_newest(terminal: Terminal) -> None:
    world = terminal.world

    async def many() -> None:
        for _ in range(120):
            release = await world.ledger.open(world.target, deploy_request("1" * 40))
            await world.ledger.save(release.to(State.REFUSED, "unknown-commit: no"))

    terminal.session.run(many())

    assert len(terminal.json("history", ADAPTER)) == 120
    assert len(terminal.json("history", ADAPTER, "--limit", "7")) == 7
    shown = terminal.type("history", ADAPTER)
    assert len(shown.stdout.splitlines()) == 1 + 20
    assert "--limit" in shown.stderr


def test_people_get_a_table(terminal: Terminal) -> None:
    terminal.deploy("second")

    heads, newest, *_ = terminal.type("history", ADAPTER).stdout.splitlines()

    assert heads.split() == ["started", "kind", "state", "commit", "took", "by", "reason"]
    assert newest.index("deploy") == heads.index("kind")
    assert terminal.world.commits["second"].short in newest


def test_an_empty_history_says_so(terminal: Terminal) -> None:
    result = terminal.type("history", ADAPTER)

    assert (result.exit_code, result.stdout) == (0, "")
    assert f"no release of {ADAPTER}" in result.stderr


def test_it_needs_no_prefect_no_client_and_no_slipway_toml(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from slipway.cli.main import main\n"
        "main(['history', 'adapter-prod', '--json'], standalone_mode=False)\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'prefect', 'kubernetes', 'docker', 'pulumi', 'httpx', 'flows'}))\n"
    )
    environment = {"XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "[]\n[]\n", done.stderr
    assert (tmp_path / "slipway" / "ledger.db").exists()


def test_a_terminal_cuts_long_reasons_and_a_pipe_gets_all_of_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("now", "x" * 200)]
    print_table(("started", "reason"), rows)
    piped = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    print_table(("started", "reason"), rows)
    shown = capsys.readouterr().out

    assert "x" * 200 in piped
    assert max(len(line) for line in shown.splitlines()) == 60
    assert shown.splitlines()[-1].endswith("…")

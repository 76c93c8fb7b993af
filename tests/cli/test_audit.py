"""`slipway audit`: what people and scripts read of an audit, and how it ends."""

import sys

import pytest

from tests.cli.conftest import ADAPTER, SINK, Terminal
from tests.fakes.world import reference_of

KEYS = {
    "fingerprint",
    "id",
    "severity",
    "target",
    "about",
    "expected",
    "seen",
    "remedy",
    "command",
    "state",
}


@pytest.fixture
def spoilt(terminal: Terminal) -> Terminal:
    """A system in which somebody has edited ESC since the last deploy."""
    terminal.deploy("second")
    terminal.deploy("third")
    terminal.world.git.branches["main"] = terminal.world.commits["third"].sha
    terminal.world.config.edit("bob", adapterImage=reference_of(terminal.world, "second"))
    return terminal


def test_a_finding_tells_scripts_everything(spoilt: Terminal) -> None:
    report = spoilt.json("audit", ADAPTER)

    [found] = report["findings"]
    assert set(found) == KEYS
    assert (found["id"], found["severity"], found["target"]) == ("IMG006", "error", ADAPTER)
    assert "by bob" in found["seen"]
    assert found["command"] == f"slipway deploy {ADAPTER} {spoilt.world.commits['third']}"
    assert (report["worst"], report["gone"]) == ("error", [])
    [target] = report["targets"]
    assert target == {"target": ADAPTER, "unknown": {}, "unjudged": [], "findings": 1}


def test_the_printed_command_mends_what_was_found(spoilt: Terminal) -> None:
    [found] = spoilt.json("audit", ADAPTER, "--record")["findings"]
    program, *words = found["command"].split()
    assert program == "slipway"

    spoilt.type(*words, "--local")

    after = spoilt.json("audit", ADAPTER, "--record")
    assert after["findings"] == []
    assert [each["fingerprint"] for each in after["gone"]] == [found["fingerprint"]]


def test_people_read_what_runs_where_then_what_is_wrong_and_what_to_type(spoilt: Terminal) -> None:
    shown = spoilt.type("audit").stdout

    third = spoilt.world.commits["third"]
    assert f"{ADAPTER}  {third.short}" in shown
    assert SINK in shown
    assert f"error IMG006 at {ADAPTER} (new)" in shown
    assert f"slipway deploy {ADAPTER} {third}" in shown


@pytest.mark.parametrize(
    ("severity", "code"), [("info", 5), ("error", 5), ("critical", 0), (None, 0)]
)
def test_the_exit_code_says_whether_a_finding_is_so_severe(
    spoilt: Terminal, severity: str | None, code: int
) -> None:
    words = ("--fail-on", severity) if severity else ()

    assert spoilt.type("audit", ADAPTER, *words).exit_code == code


def test_a_quiet_system_has_nothing_to_tell(terminal: Terminal) -> None:
    terminal.deploy("third")
    terminal.world.git.branches["main"] = terminal.world.commits["third"].sha

    assert "nothing found" in terminal.type("audit", ADAPTER, "--fail-on", "info").stdout


def test_an_audit_imports_no_prefect() -> None:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", "import sys, slipway.cli.audit; sys.exit('prefect' in sys.modules)"],
        check=False,
    )

    assert done.returncode == 0

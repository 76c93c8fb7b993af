"""`slipway` itself: what `--help` shows, what errors look like, what is imported."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from slipway.cli.main import COMMANDS, main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_list_is_there_and_described(name: str) -> None:
    command = main.get_command(click.Context(main), name)

    assert command is not None
    assert command.name == name
    assert command.help
    assert f"\n  {name} " in CliRunner().invoke(main, ["--help"]).stdout


def commands(group: click.Group) -> Iterator[click.Command]:
    """Every command, those of groups too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command)
        else:
            yield command


def test_every_command_has_json_for_scripts() -> None:
    without = {
        each.name
        for each in commands(main)
        if not any("--json" in parameter.opts for parameter in each.params)
    }

    assert without == {"export", "webhook"}, "one prints nothing but JSON, the other nothing"


def said_by(program: str) -> str:
    """What a program says that runs in an interpreter of its own, and must end well."""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_tells_the_exit_codes_and_imports_no_command() -> None:
    program = (
        "import sys\n"
        "from slipway.cli.main import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "assert not {'prefect', 'sqlalchemy', 'flows'} & set(sys.modules)\n"
    )

    assert "5 needs attention" in said_by(program)


def test_a_missing_slipway_toml_is_a_usage_error_in_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--config", str(tmp_path / "none.toml"), "status", "x"])

    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "slipway.example.toml" in result.stderr


def test_an_unknown_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(main, ["depoly"]).exit_code == 2


def test_a_command_looks_rarely_for_cycles_and_one_that_stays_as_often_as_is_usual() -> None:
    program = (
        "import gc\n"
        "from pathlib import Path\n"
        "usual = gc.get_threshold()\n"
        "from slipway.cli.main import RARELY, main\n"
        "from slipway.cli.session import Session\n"
        "main(['status', '--help'], standalone_mode=False)\n"
        "assert gc.get_threshold()[0] == RARELY\n"
        "Session(Path()).stay()\n"
        "assert gc.get_threshold() == usual\n"
    )

    said_by(program)

"""`slipway` itself: what `--help` shows, what errors look like, what is imported."""

import os
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

    assert without == {"export", "webhook"}, "which print nothing but JSON, and nothing at all"


def test_help_tells_the_exit_codes_and_imports_no_command() -> None:
    program = (
        "import sys\n"
        "from slipway.cli.main import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "assert not {'prefect', 'sqlalchemy', 'flows'} & set(sys.modules)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "5 needs attention" in done.stdout


def test_a_missing_slipway_toml_is_a_usage_error_in_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--config", str(tmp_path / "none.toml"), "status", "x"])

    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "slipway.example.toml" in result.stderr


def test_an_unknown_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(main, ["depoly"]).exit_code == 2


NOWHERE = """
[repositories.x]
url = "FOLDER/none.git"
[registries.x]
host = "127.0.0.1:1"
[pulumi.x]
token = { environment = "HOME" }
backend = "http://127.0.0.1:1"
cli = "no-such-pulumi"
[clusters.x]
kubeconfig = "FOLDER/none"
context = "none"
[docker.x]
host = "unix://FOLDER/none.sock"
[targets.web]
image = "127.0.0.1:1/acme/web"
folder = "web"
stack = "acme/shop/prod"
environment = "acme/default/shop"
key = "shop:webImage"
namespace = "apps"
deployment = "web"
container = "web"
"""
"""Places of which none answers: a command goes all its way to them, and no further."""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["status", "web"], 0),
        (["history", "web"], 0),
        (["doctor", "web"], 4),
        (["deploy", "--help"], 0),
        (["rollback", "--help"], 0),
        (["restart", "--help"], 0),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_who_only_looks_waits_for_no_prefect(words: list[str], code: int, tmp_path: Path) -> None:
    (tmp_path / "slipway.toml").write_text(NOWHERE.replace("FOLDER", str(tmp_path)))
    program = (
        "import sys\n"
        "from slipway.cli.main import main\n"
        "code = main(sys.argv[1:], standalone_mode=False)\n"
        "assert 'prefect' not in sys.modules\n"
        "sys.exit(code)\n"
    )
    environment = {"XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=tmp_path,
        env=environment | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code, done.stdout + done.stderr

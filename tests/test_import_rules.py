"""The rooms of docs/architecture.md hold: each planted violation is caught by `make check`."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for room in ("blocks", "flows", "slipway", "sandbox"):
        shutil.copytree(
            ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "toolchain")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "lint-imports"), "--no-cache"],
        cwd=tree,
        env={"PYTHONPATH": str(tree), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tree_as_it_stands_keeps_every_import_rule(copy: Path) -> None:
    result = lint_imports(copy)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("slipway/errors.py", "slipway.domain"),
        ("slipway/domain/planted.py", "slipway.ports"),
        ("slipway/domain/planted.py", "httpx"),
        ("slipway/ports/stack.py", "slipway.clients"),
        ("slipway/clients/planted.py", "slipway.tasks"),
        ("slipway/clients/planted.py", "slipway.ledger"),
        ("slipway/clients/planted.py", "prefect"),
        ("slipway/ledger/planted.py", "prefect"),
        ("slipway/domain/planted.py", "prefect"),
        ("slipway/ports/stack.py", "prefect"),
        ("slipway/errors.py", "prefect"),
        ("slipway/domain/planted.py", "socket"),
        ("slipway/ports/stack.py", "sqlalchemy"),
        ("slipway/errors.py", "httpx"),
        ("flows/planted.py", "slipway.clients.git"),
        ("flows/planted.py", "slipway.ledger.sql"),
        ("slipway/cli/planted.py", "slipway.clients.git"),
        ("slipway/cli/planted.py", "slipway.ledger.sql"),
        ("slipway/tasks/planted.py", "slipway.ledger.sql"),
        ("slipway/tasks/planted.py", "slipway.clients"),
        ("slipway/tasks/planted.py", "blocks"),
        ("blocks/planted.py", "flows"),
        ("flows/planted.py", "slipway.cli"),
        ("flows/planted.py", "sandbox"),
        ("slipway/cli/planted.py", "sandbox"),
        ("slipway/webhook/planted.py", "blocks"),
        ("slipway/webhook/planted.py", "flows"),
        ("slipway/webhook/planted.py", "slipway.tasks"),
        ("slipway/webhook/planted.py", "prefect"),
        ("slipway/webhook/planted.py", "slipway.clients.git"),
        ("slipway/webhook/planted.py", "slipway.ledger.inbox"),
        ("slipway/webhook/planted.py", "slipway.cli"),
        ("slipway/clients/planted.py", "slipway.webhook"),
        ("flows/planted.py", "slipway.webhook"),
    ],
)
def test_a_planted_forbidden_import_is_caught(copy: Path, room: str, forbidden: str) -> None:
    module = copy / room
    before = module.read_text() if module.exists() else '"""Planted."""\n'
    module.write_text(f"{before}\nimport {forbidden}\n")

    result = lint_imports(copy)

    assert result.returncode != 0
    assert "BROKEN" in result.stdout


@pytest.mark.parametrize(
    "line",
    [
        "import subprocess",
        "from asyncio import create_subprocess_exec",
        "import asyncio\n\nstart = asyncio.create_subprocess_exec",
        "import os\n\nos.system('true')",
    ],
)
@pytest.mark.parametrize("room", ["slipway/clients/planted.py", "flows/planted.py"])
def test_a_process_started_outside_the_one_place_is_caught(room: str, line: str) -> None:
    result = subprocess.run(
        [str(BIN / "ruff"), "check", "--no-cache", "--stdin-filename", room, "-"],
        cwd=ROOT,
        input=f'"""Planted."""\n\n{line}\n',
        capture_output=True,
        text=True,
        check=False,
    )

    assert "TID251" in result.stdout

"""The wheel holds all that the product needs, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.wheel import unpack_wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files in a folder of their own."""
    return unpack_wheel(tmp_path_factory.mktemp("wheel"))


def test_it_holds_the_three_rooms_of_the_product_only(installed: Path) -> None:
    rooms = {each.name for each in installed.iterdir() if not each.name.endswith(".dist-info")}

    assert rooms == {"blocks", "flows", "slipway"}


def test_its_ledger_makes_itself_from_the_migrations_in_it(installed: Path, tmp_path: Path) -> None:
    program = (
        "import slipway.cli.main as cli\n"
        "print(cli.__file__)\n"
        "cli.main(['history', 'adapter-prod', '--json'], standalone_mode=False)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed), "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    where, listed = done.stdout.splitlines()
    assert Path(where).is_relative_to(installed)
    assert listed == "[]"

"""What the tests see in a ledger's file is what other programs have written there."""

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sqlite_file import opened

WRITES = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("PRAGMA journal_mode=WAL")
file.execute("CREATE TABLE IF NOT EXISTS pages (content TEXT)")
for _ in range(int(sys.argv[2])):
    file.execute("INSERT INTO pages VALUES (?)", ("x" * 3000,))
file.close()
"""


@pytest.fixture
def without_cycles() -> Iterator[None]:
    """Python does not look for cycles meanwhile."""
    gc.disable()
    yield
    gc.enable()


def written(path: Path, rows: int) -> None:
    """Another program writes, and leaves."""
    subprocess.run([sys.executable, "-c", WRITES, str(path), str(rows)], check=True)


def pages(path: Path) -> int:
    """How many there are."""
    with opened(path) as file:
        (found,) = file.execute("SELECT count(content) FROM pages").fetchone()
    return int(found)


@pytest.mark.usefixtures("without_cycles")
def test_a_file_that_was_read_as_bytes_between_two_looks_is_still_whole(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    written(path, 50)
    assert pages(path) == 50

    path.read_bytes()

    for before, more in ((50, 50), (100, 300), (400, 5)):
        written(path, more)
        assert pages(path) == before + more

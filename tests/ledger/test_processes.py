"""Several processes at one ledger: what only real processes on a real file can show."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

import pytest

from slipway.ledger.sql import SqlLedger
from tests.ledger.examples import sqlite_at

PROCESSES = 6
TURNS = 8
ROOT = Path(__file__).parents[2]


class Turn(TypedDict):
    fence: int
    begun: float
    ended: float
    abandoned: bool


def contend(path: Path) -> list[Turn]:
    """Let the processes start at the same moment, and collect their turns."""
    contenders = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.ledger.contender", str(path), f"process-{n}", str(TURNS)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(PROCESSES)
    ]
    for each in contenders:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    answers = [each.communicate(timeout=90) for each in contenders]
    assert [each.returncode for each in contenders] == [0] * PROCESSES, answers
    return [json.loads(line) for output, _ in answers for line in output.splitlines()]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("contended") / "ledger.db"


@pytest.fixture(scope="module")
def turns(path: Path) -> list[Turn]:
    """The processes meet an empty folder: they migrate at the same moment, too."""
    return sorted(contend(path), key=lambda turn: turn["fence"])


def test_fences_grow_by_one_whoever_takes_the_lease(turns: list[Turn]) -> None:
    assert [turn["fence"] for turn in turns] == list(range(1, PROCESSES * TURNS + 1))


def test_nobody_holds_the_lease_while_another_does(turns: list[Turn]) -> None:
    overlaps = [
        (earlier, later)
        for earlier, later in itertools.pairwise(turns)
        # Who abandons a lease may be suspended past its end: that is what the fence is for.
        if not earlier["abandoned"] and later["begun"] < earlier["ended"]
    ]

    assert overlaps == []


async def test_nothing_that_was_recorded_is_lost(turns: list[Turn], path: Path) -> None:
    ledger = SqlLedger(sqlite_at(path))

    history = await ledger.history("adapter-prod", limit=1000)

    assert sorted(each.fence for each in history) == [turn["fence"] for turn in turns]


def test_alembic_is_imported_only_to_migrate(turns: list[Turn], path: Path) -> None:
    assert turns
    program = (
        "import asyncio, pathlib, sys\n"
        "from slipway.ledger.sql import SqlLedger\n"
        "from tests.ledger.examples import sqlite_at\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "asyncio.run(SqlLedger(sqlite_at(path)).history('adapter-prod'))\n"
        "assert 'alembic' not in sys.modules\n"
        "asyncio.run(SqlLedger(sqlite_at(path.with_name('new.db'))).history('adapter-prod'))\n"
        "assert 'alembic' in sys.modules\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr

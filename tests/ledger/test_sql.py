"""The SQL ledger keeps the contract on a real SQLite file, and says what is wrong with one."""

import asyncio
import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import Select, text
from sqlalchemy.engine import Connection

from slipway.domain.image import Digest
from slipway.domain.release import Baseline, Kind, Phase, Release, Request, State
from slipway.errors import InvalidInput, LedgerUnusable, Unreachable
from slipway.ledger import engines
from slipway.ledger.database import NEWEST, Database
from slipway.ledger.images import built_from
from slipway.ledger.migrate import MIGRATIONS
from slipway.ledger.releases import open_at
from slipway.ledger.rows import progress_columns
from slipway.ledger.settings import LedgerSettings
from slipway.ledger.sql import SqlLedger
from slipway.ports import Ledger
from tests.ledger.contract import A_PROCESS, LedgerContract
from tests.ledger.examples import (
    IMAGE,
    INPUTS,
    STACK,
    a_request,
    a_target,
    let_an_hour_have_passed,
    sqlite_at,
)
from tests.ledger.migration import FIXTURES, differences, require_carried_over


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


def test_a_baseline_is_written_one_way_whatever_the_order_of_its_digests() -> None:
    digests = [Digest(f"sha256:{number:064x}") for number in range(40)]
    baseline = Baseline(1, "etag", None, None, None, None, 0, frozenset(digests))
    release = Release("r", "t", "s", Request(Kind.DEPLOY, "c", "ada"), datetime.now(UTC))

    column = progress_columns(replace(release, baseline=baseline))["baseline"]

    assert column["accepted"] == sorted(column["accepted"], key=str)


class TestSqlLedger(LedgerContract):
    @pytest.fixture
    def ledger(self, path: Path) -> Ledger:
        return SqlLedger(sqlite_at(path))

    async def set_clock_back(self, ledger: Ledger) -> None:
        await let_an_hour_have_passed(ledger)


async def test_the_migrations_make_exactly_the_tables(path: Path) -> None:
    assert await Database(sqlite_at(path)).transaction(differences) == []


def test_the_newest_schema_is_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST


async def test_a_commit_is_on_disk_before_it_returns(path: Path) -> None:
    database = Database(sqlite_at(path))

    assert await database.scalar(text("PRAGMA journal_mode")) == "wal"
    assert await database.scalar(text("PRAGMA synchronous")) == 2


async def plan_of(path: Path, asked: Select[Any]) -> list[str]:
    """The steps that SQLite plans for a query."""

    def explain(connection: Connection) -> list[str]:
        literal = asked.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {literal}")
        return [str(row.detail) for row in plan]

    return await Database(sqlite_at(path)).transaction(explain)


async def test_what_stands_open_is_found_without_reading_what_ended_for_good(path: Path) -> None:
    """A release asks three times; in a ledger of a million rows reading them all takes a second."""
    steps = await plan_of(path, open_at("acme/shop/prod"))

    assert any("release_by_stack (stack=? AND state=?)" in each for each in steps), steps


async def test_an_image_of_equal_inputs_is_found_without_reading_all_images(path: Path) -> None:
    steps = await plan_of(path, built_from(IMAGE.repository, INPUTS))

    wanted = "published_image_by_inputs (repository=? AND build_inputs=?)"
    assert any(wanted in each for each in steps), steps


async def test_a_release_outlives_the_program_that_wrote_it(path: Path) -> None:
    release = await SqlLedger(sqlite_at(path)).open(a_target(), a_request())

    assert await SqlLedger(sqlite_at(path)).history("adapter-prod") == [release]


async def test_a_ledger_is_found_by_the_url_that_earlier_versions_asked_for(path: Path) -> None:
    release = await SqlLedger(sqlite_at(path)).open(a_target(), a_request())
    earlier = LedgerSettings(url=SecretStr(f"sqlite+aiosqlite:///{path}"))

    assert await SqlLedger(earlier).history("adapter-prod") == [release]


async def test_a_transaction_that_waits_keeps_no_other_one(path: Path) -> None:
    """A lease is renewed while something else of the same ledger takes its time."""
    database, may_end = Database(sqlite_at(path)), threading.Event()
    slow = asyncio.create_task(database.transaction(lambda _: may_end.wait(60)))
    await asyncio.sleep(0)

    assert await database.scalar(text("SELECT 1")) == 1

    assert not slow.done()
    may_end.set()
    await slow


async def test_a_save_that_is_cancelled_happened_or_not_and_blocks_nobody(path: Path) -> None:
    ledger = SqlLedger(sqlite_at(path))
    release = await ledger.open(a_target(), a_request())
    for hops in range(40):
        saving = asyncio.create_task(ledger.save(release.at(Phase.RESOLVED)))
        for _ in range(hops):
            await asyncio.sleep(0)
        saving.cancel()
        await asyncio.gather(saving, return_exceptions=True)

    async with asyncio.timeout(5):
        ended = await ledger.save(release.to(State.REFUSED, "cancelled: by a person"))

    assert await ledger.history("adapter-prod") == [ended]


async def test_a_locked_ledger_is_unreachable_not_broken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    ledger = SqlLedger(sqlite_at(path))
    await ledger.open(a_target(), a_request())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unreachable, match=r"ledger\.db.*locked"):
        await ledger.open(a_target(), a_request())

    other.execute("ROLLBACK")
    other.close()
    assert len(await ledger.history("adapter-prod")) == 1


async def test_a_ledger_of_a_newer_program_is_refused(path: Path) -> None:
    await SqlLedger(sqlite_at(path)).open(a_target(), a_request())
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(LedgerUnusable, match=r"9999.*upgrade slipway"):
        await SqlLedger(sqlite_at(path)).history("adapter-prod")


@pytest.fixture
def no_database(path: Path) -> Path:
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to look at" * 100)
    return path


async def test_a_file_that_is_no_database_is_named(no_database: Path) -> None:
    with pytest.raises(LedgerUnusable, match=r"ledger\.db can't be used: .*not a database"):
        await SqlLedger(sqlite_at(no_database)).history("adapter-prod")


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")

    with pytest.raises(LedgerUnusable, match="state"):
        SqlLedger(sqlite_at(tmp_path / "state" / "ledger.db"))


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql+nodriver://ada:hunter2@db/slipway", "oracle://ada:hunter2@db/x"]
)
def test_a_wrong_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        SqlLedger(LedgerSettings(url=SecretStr(url)))

    assert "postgresql" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_ledger_is_where_the_environment_says() -> None:
    def url(environment: dict[str, str]) -> str:
        return LedgerSettings.from_environment(environment).url.get_secret_value()

    assert url({"SLIPWAY_LEDGER_URL": "sqlite:////x.db", "HOME": "/h"}).endswith("/x.db")
    assert url({"XDG_STATE_HOME": "/s", "HOME": "/h"}).endswith(":////s/slipway/ledger.db")
    assert url({"HOME": "/h"}).endswith(":////h/.local/state/slipway/ledger.db")


@pytest.mark.parametrize("schema", ["r0001", "r0002", "r0003", "r0004", "r0005", "r0006"])
async def test_a_ledger_of_an_older_schema_is_carried_over(path: Path, schema: str) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.executescript((FIXTURES / f"{schema}-sqlite.sql").read_text())
    connection.close()

    await require_carried_over(SqlLedger(sqlite_at(path)))


BY_SCHEMA_0006 = """
UPDATE lease SET holder = 'older', expires = expires + 3600, fence = fence + 1 WHERE stack = '{}'
"""


@pytest.mark.parametrize("given_back", [True, False])
async def test_a_lease_that_an_older_program_has_taken_names_no_process(
    path: Path, *, given_back: bool
) -> None:
    """It may be at work still while others are newer already, and knows no such column."""
    ledger = SqlLedger(sqlite_at(path))
    lease = await ledger.acquire(STACK, "newer", 0.0, A_PROCESS)
    assert lease is not None
    if given_back:
        await ledger.give_back(lease)
    await Database(sqlite_at(path)).change(text(BY_SCHEMA_0006.format(STACK)))

    holder = await ledger.holder(STACK)

    assert holder is not None
    assert (holder.lease.holder, holder.process) == ("older", None)


@pytest.mark.parametrize("statement", ["UPDATE journal SET content = '{}'", "DELETE FROM journal"])
async def test_the_journal_is_append_only(path: Path, statement: str) -> None:
    ledger = SqlLedger(sqlite_at(path))
    release = await ledger.open(a_target(), a_request())

    with pytest.raises(LedgerUnusable, match="append-only"):
        await Database(sqlite_at(path)).change(text(statement))

    assert len(await ledger.journal(release.id)) == 1


async def test_two_ledgers_have_different_names(tmp_path: Path) -> None:
    one, other = (SqlLedger(sqlite_at(tmp_path / name)) for name in ("one.db", "other.db"))

    assert await one.identity() != await other.identity()

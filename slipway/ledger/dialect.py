"""All that differs between SQLite and PostgreSQL.

Time is the database's own, in seconds since 1970, and moves on inside a transaction:
PostgreSQL's `now()` would stand still from the transaction's begin.
"""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Dialect, Double, Insert, Table, event, insert, text
from sqlalchemy import create_engine as create_blocking
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

BUSY_SECONDS = 30
"""How long a write waits for another one before the ledger counts as unreachable."""
_LOCK_FIRST = "slipway_lock_first"
_MIGRATION_LOCK = 0x51195AE


class database_now(FunctionElement[float]):  # noqa: N801 - reads as the SQL function it is
    """The database's time, in seconds since 1970."""

    type = Double()
    inherit_cache = True


@compiles(database_now, "sqlite")
def _sqlite_now(_element: database_now, _compiler: SQLCompiler, **_: Any) -> str:
    # unixepoch('subsec') needs SQLite 3.42; 2440587.5 is 1970-01-01 as a Julian day.
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_now, "postgresql")
def _postgresql_now(_element: database_now, _compiler: SQLCompiler, **_: Any) -> str:
    return "EXTRACT(EPOCH FROM clock_timestamp())::double precision"


def create_engine(url: URL, *, lasting: bool = False) -> AsyncEngine:
    """An engine whose connections end with their transactions and belong to no loop.

    `lasting` ones belong to the loop that used them first and stay until they are closed: for a
    process that does nothing else, a transaction then costs a fifth.
    """
    pool: dict[str, Any] = {} if lasting else {"poolclass": NullPool}
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url, **pool)
    _make_folder(url)
    arguments = {"timeout": BUSY_SECONDS, "isolation_level": None}
    engine = create_async_engine(url, connect_args=arguments, **pool)
    event.listen(engine.sync_engine, "connect", _configure_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def create_blocking_engine(url: URL) -> Engine | None:
    """An engine on the same SQLite file for threads; None for a database that needs none."""
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        return None
    arguments = {"timeout": BUSY_SECONDS, "isolation_level": None}
    blocking = url.set(drivername="sqlite+pysqlite")
    engine = create_blocking(blocking, connect_args=arguments)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def insert_if_absent(
    dialect: Dialect, table: Table, values: dict[str, Any]
) -> "Insert | postgresql.Insert":
    """Insert a row, or none when one that must be unique is there already."""
    if dialect.name == "sqlite":
        # ON CONFLICT says the same, but SQLAlchemy compiles it anew each time: a millisecond.
        return insert(table).values(values).prefix_with("OR IGNORE")
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - 50 ms that SQLite need not pay

    return postgresql.insert(table).values(values).on_conflict_do_nothing()


def locked_first(engine: AsyncEngine) -> AsyncEngine:
    """The same engine, whose transactions take SQLite's write lock when they begin."""
    return engine.execution_options(**{_LOCK_FIRST: True})


def as_of_one_moment(engine: AsyncEngine) -> AsyncEngine:
    """The same engine, whose transactions read everything as it stood at their first statement."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ")


def lock_for_migration(connection: Connection) -> None:
    """Let only one process migrate; on SQLite the transaction's begin has seen to it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))


def is_transient(error: DBAPIError) -> bool:
    """Whether trying again may help: a lock that was not given, a connection that broke."""
    cause = error.orig.__cause__ or error.orig if error.orig is not None else None
    if isinstance(cause, sqlite3.Error):
        # Extended codes keep the primary one in the low byte (sqlite.org/rescode.html).
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return True


def refusals_to_connect(dialect: Dialect) -> tuple[type[Exception], ...]:
    """What the driver raises past SQLAlchemy, before it is connected: by a server that starts."""
    if dialect.name != "postgresql":
        return ()
    import asyncpg  # type: ignore[import-untyped] # noqa: PLC0415 - no types; SQLite needs none of it

    return (asyncpg.PostgresError, asyncpg.InterfaceError)


def is_for_good(refusal: Exception) -> bool:
    """Whether a server will not let this user in, or has no such database, however often asked."""
    state = getattr(refusal, "sqlstate", None) or ""
    return state.startswith(("28", "3D"))


def _make_folder(url: URL) -> None:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _configure_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # The driver's own BEGIN would leave DDL outside the transaction.
    locked = connection.get_execution_options().get(_LOCK_FIRST)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if locked else "BEGIN")

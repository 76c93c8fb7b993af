"""All that differs between SQLite and PostgreSQL.

Time is the database's own, in seconds since 1970, and moves on inside a transaction:
PostgreSQL's `now()` would stand still from the transaction's begin.
"""

import sqlite3
from typing import TYPE_CHECKING, Any

from sqlalchemy import Dialect, Double, Insert, Table, insert, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

LOCK_FIRST = "slipway_lock_first"
"""The option of a transaction that takes SQLite's write lock when it begins."""
_MIGRATION_LOCK = 0x51195AE
SESSION = {
    # Ends a transaction whose process is stopped, or whose machine is gone, with its locks.
    "idle_in_transaction_session_timeout": "5s",
    # Longer, so that who waits for such a lock gets it; with the former, less than a lease lasts.
    "lock_timeout": "8s",
    # Ends the session of a machine that is gone; no transaction, which the first one ends.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "8s",
}
"""What each session asks of PostgreSQL: nobody else ends what a process has left undone there.

A statement may take its time (no `statement_timeout`): one that waits for nobody ends by itself.
"""


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


def insert_if_absent(
    dialect: Dialect, table: Table, values: dict[str, Any]
) -> "Insert | postgresql.Insert":
    """Insert a row, or none when one that must be unique is there already."""
    if dialect.name == "sqlite":
        # ON CONFLICT says the same, but SQLAlchemy compiles it anew each time: a millisecond.
        return insert(table).values(values).prefix_with("OR IGNORE")
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - 50 ms that SQLite need not pay

    return postgresql.insert(table).values(values).on_conflict_do_nothing()


def as_of_one_moment(url: URL) -> dict[str, str]:
    """The options of a transaction that reads everything as it stood at its first statement."""
    return {} if url.get_backend_name() == "sqlite" else {"isolation_level": "REPEATABLE READ"}


def connect_args(url: URL) -> dict[str, Any]:
    """What the driver of an event loop is told when it connects."""
    return {"server_settings": {**SESSION}} if url.drivername == "postgresql+asyncpg" else {}


def take_time(connection: Connection) -> None:
    """Let this transaction wait for locks, and for its own process, as long as it takes."""
    if connection.dialect.name == "postgresql":
        for limit in ("idle_in_transaction_session_timeout", "lock_timeout"):
            connection.execute(text(f"SET LOCAL {limit} = 0"))


def lock_for_migration(connection: Connection) -> None:
    """Let only one process migrate; on SQLite the transaction's begin has seen to it."""
    if connection.dialect.name == "postgresql":
        take_time(connection)
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))


def is_transient(error: DBAPIError) -> bool:
    """Whether trying again may help: a lock that was not given, a connection that broke."""
    cause = error.orig.__cause__ or error.orig if error.orig is not None else None
    if isinstance(cause, sqlite3.Error):
        # Extended codes keep the primary one in the low byte (sqlite.org/rescode.html).
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return True


def refusals_to_connect(url: URL) -> tuple[type[Exception], ...]:
    """What the driver raises past SQLAlchemy, before it is connected: by a server that starts."""
    if url.get_backend_name() != "postgresql":
        return ()
    import asyncpg  # type: ignore[import-untyped] # noqa: PLC0415 - no types; SQLite needs none of it

    return (asyncpg.PostgresError, asyncpg.InterfaceError)


def is_for_good(refusal: Exception) -> bool:
    """Whether a server will not let this user in, or has no such database, however often asked."""
    state = getattr(refusal, "sqlstate", None) or ""
    return state.startswith(("28", "3D"))

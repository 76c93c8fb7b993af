"""How transactions are done: SQLite's in threads, PostgreSQL's on the event loop."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection

from slipway.ledger import dialect

AT_ONCE = 4
"""Transactions of one ledger beside each other: one that waits must not keep a lease's renewal."""
BUSY_SECONDS = 30
"""How long a write waits for another one before the ledger counts as unreachable."""
T = TypeVar("T")


class Engine(Protocol):
    """Does work in transactions."""

    async def run(self, work: Callable[[Connection], T], **options: Any) -> T:
        """Do it, and commit it when it ends well; a caller that is cancelled rolls it back."""

    async def close(self) -> None:
        """Close every connection; a later use opens new ones."""


def engine_of(url: URL, *, lasting: bool) -> Engine:
    """The engine of a database; `lasting` connections stay and belong to one event loop.

    SQLite's always stay, and belong to none.
    """
    if url.get_backend_name() == "sqlite":
        return InThreads(url.set(drivername="sqlite+pysqlite"))
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+asyncpg")
    return OnTheLoop(url, lasting=lasting)


class _GivenUpError(Exception):
    """Rolls back; nobody awaits it any more."""


class InThreads:
    """SQLite.

    A thread does a whole transaction: a driver for event loops changes threads for each step of
    each statement, which costs more than the work of a small transaction, and what SQLAlchemy needs
    for it takes 0.2 s and 7 MiB to import.
    """

    def __init__(self, url: URL) -> None:
        if url.database and url.database != ":memory:":
            Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        arguments = {"timeout": BUSY_SECONDS, "isolation_level": None}
        self._engine = create_engine(url, connect_args=arguments)
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ledger")

    async def run(self, work: Callable[[Connection], T], **options: Any) -> T:
        """See `Engine`."""
        given_up = threading.Event()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._do, work, options, given_up)
        except asyncio.CancelledError:
            given_up.set()
            raise

    async def close(self) -> None:
        """See `Engine`."""
        self._engine.dispose()

    def _do(
        self, work: Callable[[Connection], T], options: dict[str, Any], given_up: threading.Event
    ) -> T:
        with self._engine.execution_options(**options).begin() as connection:
            done = work(connection)
            if given_up.is_set():
                raise _GivenUpError
            return done


class OnTheLoop:
    """PostgreSQL, and whatever else has a driver for event loops."""

    def __init__(self, url: URL, *, lasting: bool) -> None:
        from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - see InThreads
        from sqlalchemy.pool import NullPool  # noqa: PLC0415 - likewise

        pool: dict[str, Any] = {} if lasting else {"poolclass": NullPool}
        self._engine = create_async_engine(url, connect_args=dialect.connect_args(url), **pool)

    async def run(self, work: Callable[[Connection], T], **options: Any) -> T:
        """See `Engine`."""
        async with self._engine.execution_options(**options).begin() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        """See `Engine`."""
        await self._engine.dispose()


def _configure(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # The driver's own BEGIN would leave DDL outside the transaction.
    locked = connection.get_execution_options().get(dialect.LOCK_FIRST)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if locked else "BEGIN")

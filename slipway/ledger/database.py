"""Transactions on the ledger's database, brought to the newest schema at first use."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

from sqlalchemy import inspect, make_url, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from slipway.errors import InvalidInput, LedgerUnusable, Unreachable
from slipway.ledger import dialect
from slipway.ledger.settings import VARIABLE, LedgerSettings

NEWEST = "0005"
"""The last of `migrations/versions`; numbers only grow, so that a newer ledger is recognised."""
T = TypeVar("T")
_LOOK = f"check the database that {VARIABLE} names, and try again"


class Database:
    """Gives transactions; foreign exceptions leave it as ours."""

    def __init__(self, settings: LedgerSettings, *, lasting: bool = False) -> None:
        try:
            self._url = make_url(settings.url.get_secret_value())
        except ArgumentError as error:
            raise InvalidInput(
                f"{VARIABLE} is not a database URL: give sqlite+aiosqlite:///FILE or "
                "postgresql+asyncpg://USER:PASSWORD@HOST/NAME"
            ) from error
        self.engine = self._create_engine(lasting=lasting)
        self._blocking = dialect.create_blocking_engine(self._url) if lasting else None
        self._migrated = False
        self._first_use = asyncio.Lock()

    def __str__(self) -> str:
        return f"ledger {self._url.render_as_string(hide_password=True)}"

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed when the context ends well; a write comes first in it."""
        async with self._begun(self.engine) as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads, all of it as it stood at one moment."""
        async with self._begun(dialect.as_of_one_moment(self.engine)) as connection:
            yield connection

    async def at_once(self, work: Callable[[Connection], T]) -> T:
        """A transaction whose work asks for nothing else meanwhile.

        A lasting SQLite database does it in one thread: its driver for event loops changes threads
        for each step of each statement, which costs more than the work of a small transaction.
        """
        if self._blocking is None:
            async with self.transaction() as connection:
                return await connection.run_sync(work)
        with self._errors_translated():
            await self._ready()
            return await asyncio.to_thread(_done, self._blocking, work)

    async def close(self) -> None:
        """Close every connection; a later use opens new ones."""
        await self.engine.dispose()
        if self._blocking is not None:
            self._blocking.dispose()

    @asynccontextmanager
    async def _begun(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        with self._errors_translated():
            await self._ready()
            async with engine.begin() as connection:
                yield connection

    @contextmanager
    def _errors_translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._translated(error) from error
        except dialect.refusals_to_connect(self.engine.dialect) as error:
            if dialect.is_for_good(error):
                raise LedgerUnusable(f"{self} can't be used: {error}; {_LOOK}") from error
            raise Unreachable(f"{self} did not answer: {error}; {_LOOK}") from error
        except OSError as error:
            raise Unreachable(f"{self} did not answer: {error}; {_LOOK}") from error

    def _create_engine(self, *, lasting: bool) -> AsyncEngine:
        try:
            return dialect.create_engine(self._url, lasting=lasting)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise InvalidInput(
                f"{self}: no driver for {self._url.drivername!r}; "
                "use sqlite+aiosqlite or postgresql+asyncpg"
            ) from error
        except OSError as error:
            raise LedgerUnusable(
                f"{self} can't be made: {error}; check the folder that {VARIABLE} names"
            ) from error

    async def _ready(self) -> None:
        async with self._first_use:
            if not self._migrated:
                async with self.engine.connect() as connection:
                    newest = await connection.run_sync(self._is_newest)
                if not newest:
                    await self._migrate()
                self._migrated = True

    async def _migrate(self) -> None:
        async with dialect.locked_first(self.engine).begin() as connection:
            await connection.run_sync(dialect.lock_for_migration)
            # Another process may have migrated while this one waited for the lock.
            if not await connection.run_sync(self._is_newest):
                from slipway.ledger.migrate import upgrade  # noqa: PLC0415 - Alembic takes 0.2 s

                await connection.run_sync(upgrade)

    def _is_newest(self, connection: Connection) -> bool:
        if not inspect(connection).has_table("alembic_version"):
            return False
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if found is not None and str(found) > NEWEST:
            raise LedgerUnusable(
                f"{self} has schema {found}, this program knows {NEWEST}: upgrade slipway here"
            )
        return str(found) == NEWEST

    def _translated(self, error: DBAPIError) -> Unreachable | LedgerUnusable:
        seen = str(error.orig).strip()
        if dialect.is_transient(error):
            return Unreachable(f"{self} did not answer: {seen}; {_LOOK}")
        return LedgerUnusable(f"{self} can't be used: {seen}; check the file, its folder and disk")


def _done(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)

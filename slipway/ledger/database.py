"""Transactions on the ledger's database, brought to the newest schema at first use."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Executable, RowMapping, inspect, make_url, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from slipway.errors import InvalidInput, LedgerUnusable, Unreachable
from slipway.ledger import dialect
from slipway.ledger.engines import Engine, engine_of
from slipway.ledger.settings import VARIABLE, LedgerSettings

NEWEST = "0009"
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
                f"{VARIABLE} is not a database URL: give sqlite:///FILE or "
                "postgresql://USER:PASSWORD@HOST/NAME"
            ) from error
        self._engine = self._create_engine(lasting=lasting)
        self._migrated = False
        self._first_use = asyncio.Lock()

    def __str__(self) -> str:
        return f"ledger {self._url.render_as_string(hide_password=True)}"

    async def transaction(self, work: Callable[[Connection], T]) -> T:
        """Do some work in a transaction, committed when it ends well; a write comes first in it."""
        return await self._run(work)

    async def snapshot(self, work: Callable[[Connection], T]) -> T:
        """Do some work that only reads, all of it as it stood at one moment; it may take long."""

        def read(connection: Connection) -> T:
            dialect.take_time(connection)
            return work(connection)

        return await self._run(read, **dialect.as_of_one_moment(self._url))

    async def rows(self, statement: Executable) -> Sequence[RowMapping]:
        """Execute a statement alone; what it returns."""
        return await self._run(lambda connection: connection.execute(statement).mappings().all())

    async def scalar(self, statement: Executable) -> Any:
        """Execute a statement alone; the first column of its first row, None without any."""
        return await self._run(lambda connection: connection.scalar(statement))

    async def change(self, statement: Executable) -> int:
        """Execute a statement alone; how many rows it has changed."""
        return await self._run(lambda connection: connection.execute(statement).rowcount)

    async def close(self) -> None:
        """Close every connection; a later use opens new ones."""
        await self._engine.close()

    async def _run(self, work: Callable[[Connection], T], **options: Any) -> T:
        with self._errors_translated():
            await self._ready()
            return await self._engine.run(work, **options)

    @contextmanager
    def _errors_translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._translated(error) from error
        except dialect.refusals_to_connect(self._url) as error:
            if dialect.is_for_good(error):
                raise LedgerUnusable(f"{self} can't be used: {error}; {_LOOK}") from error
            raise Unreachable(f"{self} did not answer: {error}; {_LOOK}") from error
        except OSError as error:
            raise Unreachable(f"{self} did not answer: {error}; {_LOOK}") from error

    def _create_engine(self, *, lasting: bool) -> Engine:
        try:
            return engine_of(self._url, lasting=lasting)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise InvalidInput(
                f"{self}: no driver for {self._url.drivername!r}; use sqlite or postgresql"
            ) from error
        except OSError as error:
            raise LedgerUnusable(
                f"{self} can't be made: {error}; check the folder that {VARIABLE} names"
            ) from error

    async def _ready(self) -> None:
        async with self._first_use:
            if not self._migrated:
                if not await self._engine.run(self._is_newest):
                    await self._engine.run(self._migrate, **{dialect.LOCK_FIRST: True})
                self._migrated = True

    def _migrate(self, connection: Connection) -> None:
        dialect.lock_for_migration(connection)
        # Another process may have migrated while this one waited for the lock.
        if not self._is_newest(connection):
            from slipway.ledger.migrate import upgrade  # noqa: PLC0415 - Alembic takes 0.2 s

            upgrade(connection)

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

"""The ledger as a whole: its name, its stacks, every journal, everything as JSON."""

import functools
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ColumnElement, RowMapping, Text, cast, insert, select
from sqlalchemy.engine import Connection

from slipway.domain.journal import Chain, Head, JournalEntry
from slipway.domain.takeover import Takeover
from slipway.ledger.dialect import database_now
from slipway.ledger.part import LedgerPart
from slipway.ledger.releases import entry_from
from slipway.ledger.rows import moment, told
from slipway.ledger.tables import identity, journal, metadata
from slipway.ledger.tables import release as releases
from slipway.ledger.tables import takeover as takeovers

PAGE = 100
"""Releases read at once."""


class SqlArchive(LedgerPart):
    """What is asked of the ledger itself, not of one release."""

    _name = ""
    """Read once: it never changes."""

    async def identity(self) -> str:
        """See `slipway.ports.Ledger`."""
        if not self._name:
            self._name = str(await self._database.scalar(select(identity.c.id)))
        return self._name

    async def clock(self) -> datetime:
        """See `slipway.ports.Ledger`."""
        return moment(await self._database.scalar(select(database_now())))

    async def record_takeover(self, takeover: Takeover) -> None:
        """See `slipway.ports.Ledger`."""
        taken = insert(takeovers).values(
            stack=takeover.stack,
            instead_of=takeover.instead_of,
            taken_by=takeover.by,
            reason=takeover.reason,
            at=database_now(),
        )
        await self._database.change(taken)

    async def takeovers(self, stack: str) -> Sequence[Takeover]:
        """See `slipway.ports.Ledger`."""
        taken = select(takeovers).where(takeovers.c.stack == stack).order_by(takeovers.c.number)
        rows = await self._database.rows(taken)
        return [
            Takeover(row["stack"], row["instead_of"], row["taken_by"], row["reason"])
            for row in rows
        ]

    async def chains(self) -> AsyncIterator[Chain]:
        """See `slipway.ports.Ledger`."""
        last = -1
        while page := await self._page(last):
            for row, entries in page:
                head = Head(row["journal_length"], row["journal_head"])
                yield Chain(row["id"], head, told(_read(row)), entries)
                last = row["number"]
        for release, entries in (await self._without_release()).items():
            yield Chain(release, Head(), {}, entries)

    async def export(self, write: Callable[[dict[str, Any]], object]) -> None:
        """Write every row of every table, a record each; for other programs, to be kept elsewhere.

        They are written as they are read, for a ledger may be large, and in whichever thread reads.
        """
        await self._database.snapshot(functools.partial(_export, write=write))

    async def _page(self, after: int) -> list[tuple[Any, list[JournalEntry]]]:
        """Releases after a number, each with its journal, as they stand at one moment."""
        some = (
            select(*(_as_written(each) for each in releases.c))
            .where(releases.c.number > after)
            .order_by(releases.c.number)
            .limit(PAGE)
        )

        def read(connection: Connection) -> tuple[Sequence[RowMapping], Sequence[RowMapping]]:
            rows = connection.execute(some).mappings().all()
            theirs = journal.c.release.in_([row["id"] for row in rows])
            told_of = select(journal).where(theirs).order_by(journal.c.release, journal.c.number)
            return rows, connection.execute(told_of).mappings().all()

        rows, found = await self._database.snapshot(read)
        entries: dict[str, list[JournalEntry]] = {row["id"]: [] for row in rows}
        for each in found:
            entries[each["release"]].append(entry_from(each))
        return [(row, entries[row["id"]]) for row in rows]

    async def _without_release(self) -> dict[str, list[JournalEntry]]:
        orphans = select(journal).where(journal.c.release.not_in(select(releases.c.id)))
        ordered = orphans.order_by(journal.c.release, journal.c.number)
        entries: dict[str, list[JournalEntry]] = {}
        for each in await self._database.rows(ordered):
            entries.setdefault(each["release"], []).append(entry_from(each))
        return entries


def _as_written(column: Column[Any]) -> ColumnElement[Any]:
    """A column, JSON as its text: one that was tampered with may be none."""
    return cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column


def _read(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `_as_written` columns; what is no JSON stays text, as no journal tells it."""
    as_json = {each.name for each in releases.c if isinstance(each.type, JSON)}
    return {name: _value(text) if name in as_json else text for name, text in row.items()}


def _value(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text


def _export(connection: Connection, write: Callable[[dict[str, Any]], object]) -> None:
    for table in metadata.sorted_tables:
        rows = select(table).order_by(*table.primary_key.columns)
        read_on = {"yield_per": PAGE}
        for row in connection.execute(rows, execution_options=read_on).mappings():
            write({"table": table.name, **row})

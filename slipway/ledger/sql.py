"""The ledger on a SQL database.

Every write transaction begins with its INSERT or UPDATE: reading first and writing then fails when
two do it at once (SQLite can't turn a read lock into a write lock that somebody else waits for).
"""

from slipway.ledger.archive import SqlArchive
from slipway.ledger.database import Database
from slipway.ledger.findings import SqlFindings
from slipway.ledger.images import SqlImages
from slipway.ledger.leases import SqlLeases
from slipway.ledger.line import SqlLine
from slipway.ledger.releases import SqlReleases
from slipway.ledger.restrictions import SqlRestrictions
from slipway.ledger.settings import LedgerSettings


class SqlLedger(
    SqlReleases, SqlLeases, SqlLine, SqlRestrictions, SqlFindings, SqlImages, SqlArchive
):
    """The `Ledger` port on SQLite or PostgreSQL; holds no connection between its methods."""

    def __init__(self, settings: LedgerSettings) -> None:
        super().__init__(Database(settings))

    async def close(self) -> None:
        """Close every connection; a later call opens new ones."""
        await self._database.close()

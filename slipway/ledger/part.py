"""What the parts of the SQL ledger share."""

from slipway.ledger.database import Database


class LedgerPart:
    """One concern of the ledger; all of them work on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

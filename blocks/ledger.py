"""Opens the ledger that the environment names; imports neither Prefect nor any client."""

from slipway.ledger.inbox import SqlInbox
from slipway.ledger.settings import VARIABLE, LedgerSettings
from slipway.ledger.sql import SqlLedger

__all__ = ["VARIABLE", "SqlInbox", "SqlLedger", "open_inbox", "open_ledger"]


def open_ledger() -> SqlLedger:
    """The ledger of `SLIPWAY_LEDGER_URL`, else the file in the user's state folder."""
    return SqlLedger(LedgerSettings.from_environment())


def open_inbox() -> SqlInbox:
    """The webhook's inbox in the same database."""
    return SqlInbox(LedgerSettings.from_environment())

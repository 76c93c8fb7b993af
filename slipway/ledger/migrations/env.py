"""Alembic's entry: migrates on the connection, and in the transaction, that the ledger gives."""

from alembic import context

from slipway.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()

"""Journal, holds, vetoes, the line of waiting releases, and the ledger's own name.

Every release recorded before gets the first entry of its journal: its row as it stands now.
"""

import hashlib
import json
import uuid
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# How an entry is sealed is part of this revision: it may not follow later changes of the program.
NOTHING_BEFORE = "0" * 64
_NOT_TOLD = ("number", "journal_length", "journal_head")
_NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "EXTRACT(EPOCH FROM clock_timestamp())::double precision",
}
_REFUSED = "the journal is append-only"
_APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER journal_not_{what.lower()}d BEFORE {what} ON journal "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
        for what in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        f"""CREATE FUNCTION journal_is_append_only() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$""",
        """CREATE TRIGGER journal_append_only BEFORE UPDATE OR DELETE ON journal
        FOR EACH ROW EXECUTE FUNCTION journal_is_append_only()""",
    ],
}


def upgrade() -> None:
    """Make the tables, and begin every release's journal."""
    op.add_column("release", sa.Column("worker", sa.JSON))
    op.add_column("release", sa.Column("engine", sa.JSON))
    length = sa.Column("journal_length", sa.Integer, nullable=False, server_default="0")
    op.add_column("release", length)
    head = sa.Column("journal_head", sa.String(64), nullable=False, server_default=NOTHING_BEFORE)
    op.add_column("release", head)
    journal = _journal()
    _line()
    _holds()
    _vetoes()
    _takeovers()
    _identity()
    connection = op.get_bind()
    _begin_journals(connection, journal)
    for statement in _APPEND_ONLY[connection.dialect.name]:
        op.execute(statement)


def _journal() -> sa.Table:
    return op.create_table(
        "journal",
        sa.Column("release", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )


def _line() -> None:
    op.create_table(
        "waiter",
        sa.Column("release", sa.String(32), primary_key=True),
        sa.Column("stack", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("commit_sha", sa.String(40)),
        sa.Column("place", sa.BigInteger, nullable=False),
        sa.Column("asked_to_end", sa.Text, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
    )
    op.create_index("waiter_by_stack", "waiter", ["stack", "place"])


def _holds() -> None:
    op.create_table(
        "hold",
        sa.Column("number", _counted(), primary_key=True, autoincrement=True),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("placed_by", sa.Text, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("until", sa.Double),
        sa.Column("about", sa.String(40)),
        sa.Column("release", sa.String(32), nullable=False),
        sa.Column("lifted", sa.Double),
        sa.Column("lifted_by", sa.Text),
        sa.Column("lifted_why", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("hold_by_target", "hold", ["target", "number"])


def _vetoes() -> None:
    op.create_table(
        "veto",
        sa.Column("number", _counted(), primary_key=True, autoincrement=True),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("commit_sha", sa.String(40), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("placed_by", sa.Text, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("release", sa.String(32), nullable=False),
        sa.Column("lifted", sa.Double),
        sa.Column("lifted_by", sa.Text),
        sa.Column("lifted_why", sa.Text),
        sqlite_autoincrement=True,
    )
    standing = sa.text("lifted IS NULL")
    op.create_index(
        "veto_standing",
        "veto",
        ["target", "commit_sha"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )


def _takeovers() -> None:
    op.create_table(
        "takeover",
        sa.Column("number", _counted(), primary_key=True, autoincrement=True),
        sa.Column("stack", sa.Text, nullable=False),
        sa.Column("instead_of", sa.Text, nullable=False),
        sa.Column("taken_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )


def _identity() -> None:
    op.create_table(
        "ledger",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("made", sa.Double, nullable=False),
    )
    now = _NOW[op.get_bind().dialect.name]
    made = sa.text(f"INSERT INTO ledger (id, made) VALUES (:id, {now})")  # noqa: S608 - a constant
    op.get_bind().execute(made, {"id": uuid.uuid4().hex})


def _counted() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _begin_journals(connection: sa.Connection, journal: sa.Table) -> None:
    now = connection.scalar(sa.text(f"SELECT {_NOW[connection.dialect.name]}"))
    release = sa.Table("release", sa.MetaData(), autoload_with=connection)
    for row in connection.execute(sa.select(release).order_by(release.c.number)).mappings().all():
        entry = _first_entry(row, float(now))
        connection.execute(journal.insert().values(**entry))
        connection.execute(
            release.update()
            .where(release.c.number == row["number"])
            .values(journal_length=1, journal_head=entry["hash"])
        )


def _first_entry(row: sa.RowMapping, at: float) -> dict[str, Any]:
    content = _canonical({str(name): row[name] for name in row if name not in _NOT_TOLD})
    told = [row["id"], 1, "state", at, row["fence"], content, NOTHING_BEFORE]
    return {
        "release": row["id"],
        "number": 1,
        "kind": "state",
        "at": at,
        "fence": row["fence"],
        "content": content,
        "previous": NOTHING_BEFORE,
        "hash": hashlib.sha256(_canonical(told).encode()).hexdigest(),
    }


def _canonical(value: Any) -> str:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )

"""What audits have found: each finding from when it was first seen until it was gone."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "audit",
        sa.Column("number", number, primary_key=True, autoincrement=True),
        sa.Column("fingerprint", sa.String(16), nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("rule", sa.String(16), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("expected", sa.Text, nullable=False),
        sa.Column("seen", sa.Text, nullable=False),
        sa.Column("remedy", sa.Text, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("looked", sa.Double, nullable=False),
        sa.Column("gone", sa.Double),
        sqlite_autoincrement=True,
    )
    standing = sa.text("gone IS NULL")
    op.create_index(
        "audit_standing",
        "audit",
        ["target", "fingerprint"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )

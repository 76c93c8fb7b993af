"""The webhook's inbox: deliveries, and what became of each at its targets."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "delivery",
        sa.Column("number", number, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("branch", sa.Text),
        sa.Column("before_sha", sa.String(40)),
        sa.Column("after_sha", sa.String(40)),
        sa.Column("ignored", sa.Text, nullable=False),
        sa.Column("received", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "delivery_target",
        sa.Column("delivery", number, sa.ForeignKey("delivery.number"), primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("outcome", sa.String(24)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("decided", sa.Double),
    )
    op.create_index("delivery_target_by_outcome", "delivery_target", ["outcome", "target"])

"""What Prefect is about to be asked for is told before: no start is lost with its answer."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of what was started before nothing is in doubt."""
    op.add_column("delivery_target", sa.Column("intended", sa.Text))
    op.create_index(
        "delivery_target_in_doubt",
        "delivery_target",
        ["target"],
        sqlite_where=sa.text("intended IS NOT NULL"),
        postgresql_where=sa.text("intended IS NOT NULL"),
    )

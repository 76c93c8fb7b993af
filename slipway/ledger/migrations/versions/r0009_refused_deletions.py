"""What a registry refuses to delete goes last in every plan, so that it keeps nothing else back."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; what was refused before is tried once more."""
    op.create_table(
        "refused_deletion",
        sa.Column("repository", sa.Text, primary_key=True),
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("refused", sa.Double, nullable=False),
    )

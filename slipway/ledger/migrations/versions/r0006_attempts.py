"""The how-many-eth run each delivery has: a run that is lost with its worker is started again."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what was started before is a first attempt."""
    attempt = sa.Column("attempt", sa.Integer, nullable=False, server_default="1")
    op.add_column("delivery_target", attempt)

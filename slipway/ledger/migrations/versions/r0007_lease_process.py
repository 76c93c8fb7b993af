"""Each lease tells its holder's process: one that is proven dead is let go at once."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what was taken before tells none, and runs out.

    Nor does an older program, which may still be at work: the fence tells whose process it is.
    """
    op.add_column("lease", sa.Column("process", sa.JSON))
    op.add_column("lease", sa.Column("process_fence", sa.BigInteger))

"""What each published image was built from; of images recorded before, nobody knows it here."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, by which images are looked for."""
    op.add_column("published_image", sa.Column("build_inputs", sa.String(64)))
    op.create_index("published_image_by_inputs", "published_image", ["repository", "build_inputs"])

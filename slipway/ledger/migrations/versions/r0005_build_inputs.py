"""What each published image was built from; of images recorded before, nobody knows it here.

And when a target was last live, without reading all its releases.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, by which images are looked for, and the index of releases by their end."""
    op.add_column("published_image", sa.Column("build_inputs", sa.String(64)))
    op.create_index("published_image_by_inputs", "published_image", ["repository", "build_inputs"])
    op.create_index("release_by_end", "release", ["target", "state", "ended"])

"""The first tables: releases, leases of stacks, digests of tags."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _release()
    op.create_table(
        "lease",
        sa.Column("stack", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
    )
    op.create_table(
        "published_image",
        sa.Column("repository", sa.Text, primary_key=True),
        sa.Column("tag", sa.String(128), primary_key=True),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("recorded", sa.Double, nullable=False),
    )


def _release() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "release",
        sa.Column("number", number, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("stack", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("wanted", sa.Text, nullable=False),
        sa.Column("requested_by", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("automatic", sa.Boolean, nullable=False),
        sa.Column("prefect_run", sa.Text, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("unproven", sa.Boolean, nullable=False),
        sa.Column("notes", sa.JSON, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("commit_sha", sa.String(40)),
        sa.Column("digest", sa.String(71)),
        sa.Column("image", sa.Text, nullable=False),
        sa.Column("accepted", sa.JSON, nullable=False),
        sa.Column("program_sha", sa.String(40)),
        sa.Column("baseline", sa.JSON),
        sa.Column("esc_revision", sa.BigInteger),
        sa.Column("update_version", sa.BigInteger),
        sa.Column("previous_digest", sa.String(71)),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("ended", sa.Double),
        sqlite_autoincrement=True,
    )
    op.create_index("release_by_target", "release", ["target", "number"])
    op.create_index("release_by_stack", "release", ["stack", "state"])

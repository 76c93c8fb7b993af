"""The ledger's tables. `migrations/` makes them; a test holds the two together.

Times are seconds since 1970 by the database's clock.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()
_number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts only INTEGER keys itself

release = Table(
    "release",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("target", Text, nullable=False),
    Column("stack", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("wanted", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("automatic", Boolean, nullable=False),
    Column("prefect_run", Text, nullable=False),
    Column("options", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("unproven", Boolean, nullable=False),
    Column("notes", JSON, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("commit_sha", String(40)),
    Column("digest", String(71)),
    Column("image", Text, nullable=False),
    Column("accepted", JSON, nullable=False),
    Column("program_sha", String(40)),
    Column("baseline", JSON(none_as_null=True)),
    Column("esc_revision", BigInteger),
    Column("update_version", BigInteger),
    Column("previous_digest", String(71)),
    Column("started", Double, nullable=False),
    Column("ended", Double),
    Index("release_by_target", "target", "number"),
    Index("release_by_stack", "stack", "state"),
    sqlite_autoincrement=True,
)

lease = Table(
    "lease",
    metadata,
    Column("stack", Text, primary_key=True),
    Column("holder", Text),
    Column("fence", BigInteger, nullable=False),
    Column("expires", Double, nullable=False),
)

published_image = Table(
    "published_image",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("tag", String(128), primary_key=True),
    Column("digest", String(71), nullable=False),
    Column("recorded", Double, nullable=False),
)

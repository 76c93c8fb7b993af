"""The ledger's tables. `migrations/` makes them; a test holds the two together.

Times are seconds since 1970 by the database's clock.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
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
    Column("worker", JSON(none_as_null=True)),
    Column("engine", JSON(none_as_null=True)),
    Column("journal_length", Integer, nullable=False, server_default="0"),
    Column("journal_head", String(64), nullable=False, server_default="0" * 64),
    Index("release_by_target", "target", "number"),
    Index("release_by_stack", "stack", "state"),
    Index("release_by_end", "target", "state", "ended"),
    sqlite_autoincrement=True,
)

journal = Table(
    "journal",
    metadata,
    Column("release", String(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("at", Double, nullable=False),
    Column("fence", BigInteger, nullable=False),
    # Text, not JSON: the very characters are sealed.
    Column("content", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

waiter = Table(
    "waiter",
    metadata,
    Column("release", String(32), primary_key=True),
    Column("stack", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("commit_sha", String(40)),
    Column("place", BigInteger, nullable=False),
    Column("asked_to_end", Text, nullable=False),
    Column("expires", Double, nullable=False),
    Index("waiter_by_stack", "stack", "place"),
)

hold = Table(
    "hold",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=True),
    Column("target", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("since", Double, nullable=False),
    Column("until", Double),
    Column("about", String(40)),
    Column("release", String(32), nullable=False),
    Column("lifted", Double),
    Column("lifted_by", Text),
    Column("lifted_why", Text),
    Index("hold_by_target", "target", "number"),
    sqlite_autoincrement=True,
)

veto = Table(
    "veto",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=True),
    Column("target", Text, nullable=False),
    Column("commit_sha", String(40), nullable=False),
    Column("reason", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("since", Double, nullable=False),
    Column("release", String(32), nullable=False),
    Column("lifted", Double),
    Column("lifted_by", Text),
    Column("lifted_why", Text),
    # A commit is vetoed once at a target, however many releases have disproven it. PostgreSQL has
    # the same condition by the migration; said here, it would load that dialect for SQLite too.
    Index(
        "veto_standing",
        "target",
        "commit_sha",
        unique=True,
        sqlite_where=text("lifted IS NULL"),
    ),
    sqlite_autoincrement=True,
)

takeover = Table(
    "takeover",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=True),
    Column("stack", Text, nullable=False),
    Column("instead_of", Text, nullable=False),
    Column("taken_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Double, nullable=False),
    sqlite_autoincrement=True,
)

identity = Table(
    "ledger",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("made", Double, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("stack", Text, primary_key=True),
    Column("holder", Text),
    Column("fence", BigInteger, nullable=False),
    Column("expires", Double, nullable=False),
    Column("process", JSON(none_as_null=True)),
    Column("process_fence", BigInteger),
)

published_image = Table(
    "published_image",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("tag", String(128), primary_key=True),
    Column("digest", String(71), nullable=False),
    Column("recorded", Double, nullable=False),
    Column("build_inputs", String(64)),
    Index("published_image_by_inputs", "repository", "build_inputs"),
)

refused_deletion = Table(
    "refused_deletion",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("digest", String(71), primary_key=True),
    Column("why", Text, nullable=False),
    Column("refused", Double, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("event", String(64), nullable=False),
    Column("repository", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("branch", Text),
    Column("before_sha", String(40)),
    Column("after_sha", String(40)),
    Column("ignored", Text, nullable=False),
    Column("received", Double, nullable=False),
    sqlite_autoincrement=True,
)

delivery_target = Table(
    "delivery_target",
    metadata,
    Column("delivery", _number, ForeignKey("delivery.number"), primary_key=True),
    Column("target", Text, primary_key=True),
    Column("outcome", String(24)),
    Column("reason", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("decided", Double),
    # The key of a run that may have been started: see `slipway.ports.Inbox.intend`.
    Column("intended", Text),
    Index("delivery_target_by_outcome", "outcome", "target"),
    Index(
        "delivery_target_in_doubt",
        "target",
        sqlite_where=text("intended IS NOT NULL"),
        postgresql_where=text("intended IS NOT NULL"),
    ),
)

audit = Table(
    "audit",
    metadata,
    Column("number", _number, primary_key=True, autoincrement=True),
    Column("fingerprint", String(16), nullable=False),
    Column("target", Text, nullable=False),
    Column("rule", String(16), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("about", Text, nullable=False),
    Column("expected", Text, nullable=False),
    Column("seen", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("since", Double, nullable=False),
    Column("looked", Double, nullable=False),
    Column("gone", Double),
    # A finding stands once, however many audits see it.
    Index(
        "audit_standing",
        "target",
        "fingerprint",
        unique=True,
        sqlite_where=text("gone IS NULL"),
        postgresql_where=text("gone IS NULL"),
    ),
    sqlite_autoincrement=True,
)

"""Releases and their journals: a row is what its journal tells, and both change together."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    case,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Connection

from slipway.domain.hold import Lift, NewHold, NewVeto, Restriction
from slipway.domain.image import Digest, ImageReference
from slipway.domain.journal import EntryKind, Head, JournalEntry, Note, changed, head_of, sealed
from slipway.domain.release import Kind, Phase, Release, Request, State
from slipway.domain.target import Target
from slipway.errors import LeaseLost, ReleaseChanged
from slipway.ledger.dialect import database_now
from slipway.ledger.leases import holder_columns, holder_from
from slipway.ledger.part import LedgerPart
from slipway.ledger.restrictions import hold_unless_held, lifting, veto_unless_vetoed
from slipway.ledger.rows import (
    content_of,
    moment,
    progress_columns,
    release_from,
    request_columns,
    told,
)
from slipway.ledger.tables import hold as holds
from slipway.ledger.tables import journal
from slipway.ledger.tables import lease as leases
from slipway.ledger.tables import release as releases
from slipway.ports import ALL, LeftOpen

FOR_GOOD = frozenset({State.LIVE, State.RESTORED, State.REFUSED})
"""Ends that nobody undoes: a stale copy of a release may not overwrite one."""
ENDS = tuple(state for state in State if state.is_end)
TICK = 2e-6
"""Seconds between two times that a `datetime` tells apart, also after rounding (a float's step is
a quarter of a microsecond in this century)."""
_IS_OPEN = (
    # Those that ended for good are most of a ledger: the index passes them by.
    releases.c.state.in_([each for each in State if each not in FOR_GOOD]),
    or_(releases.c.state.not_in(ENDS), releases.c.unproven.is_(True)),
)
_BY_THE_DATABASE = datetime.fromtimestamp(0, UTC)
"""Stands where a row's time will come from the database's clock."""


class SqlReleases(LedgerPart):
    """One row a release, and its journal's entries."""

    async def open(self, target: Target, request: Request) -> Release:
        """See `slipway.ports.Releases`."""
        return await self._insert(
            Release(_new_id(), target.name, str(target.stack), request, _BY_THE_DATABASE)
        )

    async def adopt(
        self, target: Target, image: ImageReference, accepted: frozenset[Digest]
    ) -> Release:
        """See `slipway.ports.Releases`."""
        return await self._insert(
            Release(
                _new_id(),
                target.name,
                str(target.stack),
                Request(Kind.ADOPTED, str(image), "slipway", automatic=True),
                _BY_THE_DATABASE,
                State.LIVE,
                Phase.APPLIED,
                commit=image.commit,
                digest=image.digest,
                image=str(image),
                accepted=accepted,
            )
        )

    async def save(self, release: Release, *entries: Note | Restriction) -> Release:
        """See `slipway.ports.Releases`."""
        this = releases.c.id == release.id
        # Changes nothing: it takes the row's lock, and shows the row as it is then.
        lock = (
            update(releases)
            .where(this)
            .values(journal_length=releases.c.journal_length)
            .returning(*releases.c, database_now().label("now"))
        )
        fence = select(leases.c.fence).where(leases.c.stack == release.stack)

        def write(connection: Connection) -> Release:
            row = connection.execute(lock).mappings().one_or_none()
            if row is None:
                raise LookupError(f"release {release.id} is not in this ledger")
            require_as_read(release, row["fence"], _head_in(row))
            newest = connection.scalar(fence)
            require_savable(release, State(row["state"]), row["fence"], newest or 0)
            columns = progress_columns(release) | {"ended": _ended(connection, release, row)}
            return _write(connection, release, row, columns, entries)

        return await self._database.transaction(write)

    async def find(self, release: str) -> Release | None:
        """See `slipway.ports.Releases`."""
        found = await self._select(select(releases).where(releases.c.id == release))
        return next(iter(found), None)

    async def history(self, target: str, limit: int = ALL) -> Sequence[Release]:
        """See `slipway.ports.Releases`."""
        newest = releases.c.number.desc()
        return await self._select(
            select(releases).where(releases.c.target == target).order_by(newest).limit(limit)
        )

    async def unfinished(self, stack: str) -> Sequence[Release]:
        """See `slipway.ports.Releases`."""
        return await self._select(open_at(stack))

    async def left_open(self) -> Sequence[LeftOpen]:
        """See `slipway.ports.Releases`."""
        wanted = (
            select(releases, *holder_columns())
            .join_from(releases, leases, leases.c.stack == releases.c.stack, isouter=True)
            .where(*_IS_OPEN)
            .order_by(releases.c.number)
        )
        rows = await self._database.rows(wanted)
        return [
            LeftOpen(release_from(row), row["lease_fence"] or 0, holder_from(row)) for row in rows
        ]

    async def elsewhere(self, repository: str, targets: Collection[str]) -> Sequence[Release]:
        """See `slipway.ports.Releases`: one look through the table, as images have no index."""
        named = (releases.c.image.startswith(f"{repository}{end}", autoescape=True) for end in ":@")
        wanted = select(releases).where(
            releases.c.target.not_in(sorted(targets)),
            or_(*named),
            or_(releases.c.state == State.LIVE, and_(*_IS_OPEN)),
        )
        return await self._select(wanted.order_by(releases.c.number.desc()))

    async def journal(self, release: str) -> Sequence[JournalEntry]:
        """See `slipway.ports.Releases`."""
        told_of = select(journal).where(journal.c.release == release).order_by(journal.c.number)
        rows = await self._database.rows(told_of)
        return [entry_from(row) for row in rows]

    async def first_tried(self, target: str, step: str, since: datetime) -> Mapping[str, datetime]:
        """See `slipway.ports.Releases`."""
        intents = (
            select(journal)
            .join_from(releases, journal, journal.c.release == releases.c.id)
            .where(
                releases.c.target == target,
                releases.c.ended >= since.timestamp(),
                journal.c.kind == EntryKind.INTENT.value,
            )
            .order_by(journal.c.number.desc())
        )
        rows = await self._database.rows(intents)
        # From the last to the first: the first is what stays.
        return {
            row["release"]: moment(entry.at)
            for row in rows
            if (entry := entry_from(row)).facts.get("step") == step
        }

    async def _insert(self, release: Release) -> Release:
        columns = {
            **request_columns(release.request),
            **progress_columns(release),
            "id": release.id,
            "target": release.target,
            "stack": release.stack,
        }
        statement = insert(releases).values(
            **columns,
            started=database_now(),
            ended=_after_all_live(release) if release.state.is_end else None,
        )
        shown = statement.returning(*releases.c, database_now().label("now"))

        def write(connection: Connection) -> Release:
            row = connection.execute(shown).mappings().one()
            return _write(connection, release, row, told(row), (), before={})

        return await self._database.transaction(write)

    async def _select(self, statement: Select[Any]) -> list[Release]:
        rows = await self._database.rows(statement)
        return [release_from(row) for row in rows]


def _write(
    connection: Connection,
    release: Release,
    row: RowMapping,
    columns: Mapping[str, Any],
    entries: Sequence[Note | Restriction],
    *,
    before: Mapping[str, Any] | None = None,
) -> Release:
    """Bring row and journal to `columns` and `entries`; nothing is written when nothing is new."""
    news = changed(told(row) if before is None else before, columns)
    contents: list[tuple[EntryKind, Mapping[str, Any]]] = [(EntryKind.STATE, news)] if news else []
    contents += [content_of(each) for each in entries]
    follow = sealed(release.id, _head_in(row), contents, at=row["now"], fence=release.fence)
    if not follow:
        return release_from(row)
    connection.execute(insert(journal), [_columns_of(each) for each in follow])
    for each in entries:
        if isinstance(each, NewHold):
            hold_unless_held(connection, release.target, each, release.id)
        elif isinstance(each, NewVeto):
            veto_unless_vetoed(connection, release.target, each, release.id)
        elif isinstance(each, Lift):
            connection.execute(lifting(holds, each))
    end = head_of(follow)
    statement = (
        update(releases)
        .where(releases.c.id == release.id)
        .values(**news, journal_length=end.length, journal_head=end.hash)
        .returning(*releases.c)
    )
    return release_from(connection.execute(statement).mappings().one())


def require_as_read(release: Release, fence: int, head: Head) -> None:
    """`ReleaseChanged` when who takes a release over has not read all that was saved of it.

    A save that had checked its fence may commit after the lease was taken. Who has the row already
    may save an older copy: what it does not know of is its own, whose answer was lost.
    """
    if fence < release.fence and head != release.journal:
        raise ReleaseChanged(
            f"release {release.id} of {release.target} has gone on since it was read: its journal "
            f"has {head.length} entries, not {release.journal.length}; nothing was saved, read it "
            "again"
        )


def require_savable(release: Release, state: State, fence: int, newest: int) -> None:
    """`LeaseLost` when the row in the ledger is no longer this holder's to change.

    `fence` is the row's, `newest` that of the stack's lease: who has ever had the lease and lost it
    may not go on, even where its successor has not come to this release yet.
    """
    if fence > release.fence:
        raise LeaseLost(
            f"release {release.id} was taken over: its fence is {fence}, ours {release.fence}; "
            f"nothing more may be changed for it here, slipway history {release.target} tells how "
            "it ends"
        )
    if release.fence and newest > release.fence:
        raise LeaseLost(
            f"release {release.id} has lost the lease of stack {release.stack}: it was taken with "
            f"fence {newest}, ours is {release.fence}; nothing more may be changed for it here, "
            f"slipway history {release.target} tells how it ends"
        )
    if state in FOR_GOOD and state is not release.state:
        raise LeaseLost(
            f"release {release.id} has already ended {state} and can't become {release.state}"
        )


def _head_in(row: RowMapping) -> Head:
    return Head(row["journal_length"], row["journal_head"])


def entry_from(row: RowMapping) -> JournalEntry:
    """Read an entry back."""
    return JournalEntry(
        row["release"],
        row["number"],
        _kind_in(row["kind"]),
        row["at"],
        row["fence"],
        row["content"],
        row["previous"],
        row["hash"],
    )


def _kind_in(text: str) -> EntryKind | str:
    """A kind; what is none is left as it is, so that whoever verifies the journal finds it."""
    return EntryKind(text) if text in list(EntryKind) else text


def _columns_of(entry: JournalEntry) -> dict[str, Any]:
    return {
        "release": entry.release,
        "number": entry.number,
        "kind": str(entry.kind),
        "at": entry.at,
        "fence": entry.fence,
        "content": entry.content,
        "previous": entry.previous,
        "hash": entry.hash,
    }


def _ended(connection: Connection, release: Release, row: RowMapping) -> float | None:
    """When it ended: now, or when this same end was saved first."""
    if not release.state.is_end:
        return None
    if row["state"] == release.state.value and row["ended"] is not None:
        return float(row["ended"])
    if release.state is not State.LIVE:
        return float(row["now"])
    return connection.scalar(select(_after_all_live(release)))


def _after_all_live(release: Release) -> ColumnElement[float]:
    """Now, or right after the target's last live release where the clock was set back since."""
    others = select(func.max(releases.c.ended)).where(
        releases.c.target == release.target,
        releases.c.state == State.LIVE,
        releases.c.id != release.id,
    )
    next_free = others.scalar_subquery() + TICK
    return case((next_free > database_now(), next_free), else_=database_now())


def open_at(stack: str) -> Select[Any]:
    """The stack's releases that stand open, oldest first."""
    of_stack = releases.c.stack == stack
    return select(releases).where(of_stack, *_IS_OPEN).order_by(releases.c.number)


def _new_id() -> str:
    return uuid.uuid4().hex[:12]

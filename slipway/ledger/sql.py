"""The ledger on a SQL database.

Every write transaction begins with its INSERT or UPDATE: reading first and writing then fails when
two do it at once (SQLite can't turn a read lock into a write lock that somebody else waits for).
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    case,
    func,
    insert,
    null,
    or_,
    select,
    update,
)

from slipway.domain.image import Digest, ImageReference
from slipway.domain.release import Kind, Phase, Release, Request, State
from slipway.domain.target import Target
from slipway.errors import InvalidInput, LeaseLost, TagConflict
from slipway.ledger.database import Database
from slipway.ledger.dialect import database_now, insert_if_absent
from slipway.ledger.rows import moment, progress_columns, release_from, request_columns
from slipway.ledger.settings import LedgerSettings
from slipway.ledger.tables import lease as leases
from slipway.ledger.tables import published_image as images
from slipway.ledger.tables import release as releases
from slipway.ports import Lease

FOR_GOOD = (State.LIVE, State.RESTORED, State.REFUSED)
"""Ends that nobody undoes: a stale copy of a release may not overwrite one."""
ENDS = tuple(state for state in State if state.is_end)
_BY_THE_DATABASE = datetime.fromtimestamp(0, UTC)
"""Stands where a row's time will come from the database's clock."""


class SqlLedger:
    """The `Ledger` port on SQLite or PostgreSQL; holds no connection between its methods."""

    def __init__(self, settings: LedgerSettings) -> None:
        self._database = Database(settings)

    async def close(self) -> None:
        """Close every connection; a later call opens new ones."""
        await self._database.engine.dispose()

    async def open(self, target: Target, request: Request) -> Release:
        """See `slipway.ports.Ledger`."""
        return await self._insert(
            Release(_new_id(), target.name, str(target.stack), request, _BY_THE_DATABASE)
        )

    async def adopt(
        self, target: Target, image: ImageReference, accepted: frozenset[Digest]
    ) -> Release:
        """See `slipway.ports.Ledger`."""
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

    async def save(self, release: Release) -> Release:
        """See `slipway.ports.Ledger`."""
        statement = (
            update(releases)
            .where(
                releases.c.id == release.id,
                releases.c.fence <= release.fence,
                or_(releases.c.state.not_in(FOR_GOOD), releases.c.state == release.state),
            )
            .values(**progress_columns(release), ended=_ended(release.state))
            .returning(*releases.c)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
            if row is None:
                held = select(releases).where(releases.c.id == release.id)
                raise _refusal(release, (await connection.execute(held)).mappings().one_or_none())
        return release_from(row)

    async def history(self, target: str, limit: int = 100) -> Sequence[Release]:
        """See `slipway.ports.Ledger`."""
        newest = releases.c.number.desc()
        return await self._select(
            select(releases).where(releases.c.target == target).order_by(newest).limit(limit)
        )

    async def unfinished(self, stack: str) -> Sequence[Release]:
        """See `slipway.ports.Ledger`."""
        is_open = or_(releases.c.state.not_in(ENDS), releases.c.unproven.is_(True))
        return await self._select(
            select(releases).where(releases.c.stack == stack, is_open).order_by(releases.c.number)
        )

    async def acquire(self, stack: str, holder: str, seconds: float) -> Lease | None:
        """See `slipway.ports.Ledger`."""
        term: dict[str, Any] = {"holder": holder, "expires": database_now() + seconds}
        take = (
            update(leases)
            .where(
                leases.c.stack == stack,
                or_(leases.c.holder.is_(None), leases.c.expires <= database_now()),
            )
            .values(**term, fence=leases.c.fence + 1)
            .returning(leases.c.fence)
        )
        make = insert_if_absent(
            self._database.engine, leases, {"stack": stack, "fence": 1} | term
        ).returning(leases.c.fence)
        async with self._database.transaction() as connection:
            fence = await connection.scalar(take)
            if fence is None:
                fence = await connection.scalar(make)
        return None if fence is None else Lease(stack, holder, fence)

    async def renew(self, lease: Lease, seconds: float) -> None:
        """See `slipway.ports.Ledger`."""
        statement = update(leases).where(*_ours(lease)).values(expires=database_now() + seconds)
        async with self._database.transaction() as connection:
            if (await connection.execute(statement)).rowcount == 1:
                return
        raise LeaseLost(
            f"the lease of stack {lease.stack} with fence {lease.fence} is not {lease.holder}'s "
            "any more: it ran out and was taken; nothing more may be changed with it"
        )

    async def give_back(self, lease: Lease) -> None:
        """See `slipway.ports.Ledger`."""
        async with self._database.transaction() as connection:
            await connection.execute(update(leases).where(*_ours(lease)).values(holder=None))

    async def holder(self, stack: str) -> tuple[str, datetime] | None:
        """See `slipway.ports.Ledger`."""
        statement = select(leases.c.holder, leases.c.expires).where(
            leases.c.stack == stack,
            leases.c.holder.is_not(None),
            leases.c.expires > database_now(),
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else (row.holder, moment(row.expires))

    async def published(self, reference: ImageReference) -> Digest | None:
        """See `slipway.ports.Ledger`."""
        async with self._database.transaction() as connection:
            digest = await connection.scalar(_digest_of(reference))
        return None if digest is None else Digest(digest)

    async def record_published(self, reference: ImageReference, digest: Digest) -> None:
        """See `slipway.ports.Ledger`."""
        row = {
            "repository": reference.repository,
            "tag": _tag_of(reference),
            "digest": str(digest),
            "recorded": database_now(),
        }
        async with self._database.transaction() as connection:
            await connection.execute(insert_if_absent(self._database.engine, images, row))
            recorded = await connection.scalar(_digest_of(reference))
        if recorded != str(digest):
            raise TagConflict(
                f"{reference.repository}:{reference.tag} is recorded as {recorded}, not {digest}: "
                "a tag is written once; find out who moved it before anything is deployed from it"
            )

    async def _insert(self, release: Release) -> Release:
        statement = (
            insert(releases)
            .values(
                **request_columns(release.request),
                **progress_columns(release),
                id=release.id,
                target=release.target,
                stack=release.stack,
                started=database_now(),
                ended=database_now() if release.state.is_end else None,
            )
            .returning(*releases.c)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(statement)).mappings().one()
        return release_from(row)

    async def _select(self, statement: Select[Any]) -> list[Release]:
        async with self._database.transaction() as connection:
            rows = (await connection.execute(statement)).mappings().all()
        return [release_from(row) for row in rows]


def _new_id() -> str:
    return uuid.uuid4().hex[:12]


def _ended(state: State) -> ColumnElement[Any]:
    """When it ended: now, or when this same end was saved first."""
    if not state.is_end:
        return null()
    before = func.coalesce(releases.c.ended, database_now())
    return case((releases.c.state == state.value, before), else_=database_now())


def _refusal(release: Release, row: RowMapping | None) -> Exception:
    if row is None:
        return LookupError(f"release {release.id} is not in this ledger")
    if row["fence"] > release.fence:
        return LeaseLost(
            f"release {release.id} was taken over: its fence is {row['fence']}, ours "
            f"{release.fence}; nothing more may be changed for it here"
        )
    return LeaseLost(
        f"release {release.id} has already ended {row['state']} and can't become {release.state}"
    )


def _ours(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    return (
        leases.c.stack == lease.stack,
        leases.c.holder == lease.holder,
        leases.c.fence == lease.fence,
    )


def _tag_of(reference: ImageReference) -> str:
    if reference.tag is None:
        raise InvalidInput(f"{reference} names no tag: only tags are recorded")
    return reference.tag


def _digest_of(reference: ImageReference) -> Select[tuple[str]]:
    return select(images.c.digest).where(
        images.c.repository == reference.repository, images.c.tag == _tag_of(reference)
    )

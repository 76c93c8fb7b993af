"""The line of a stack: who waits for its lease, in the order in which the releases were opened."""

from collections.abc import Sequence

from sqlalchemy import Insert, RowMapping, case, delete, insert, select, update
from sqlalchemy.engine import Connection

from slipway.domain.commit import Commit
from slipway.domain.release import Kind, Release
from slipway.domain.waiting import Waiter
from slipway.ledger.dialect import database_now
from slipway.ledger.part import LedgerPart
from slipway.ledger.tables import release as releases
from slipway.ledger.tables import waiter as waiters


class SqlLine(LedgerPart):
    """One row a waiting release, which counts only while it is repeated."""

    async def stand_in_line(self, release: Release, seconds: float) -> Sequence[Waiter]:
        """See `slipway.ports.Leases`."""
        stay = (
            update(waiters)
            .where(waiters.c.release == release.id)
            .values(expires=database_now() + seconds)
        )
        standing = (
            select(waiters)
            .where(waiters.c.stack == release.stack, waiters.c.expires > database_now())
            .order_by(waiters.c.place)
        )

        def stay_or_join(connection: Connection) -> Sequence[RowMapping]:
            if connection.execute(stay).rowcount == 0:
                connection.execute(_joining(release, seconds))
            return connection.execute(standing).mappings().all()

        return [_waiter_from(row) for row in await self._database.transaction(stay_or_join)]

    async def leave_line(self, release: str) -> None:
        """See `slipway.ports.Leases`."""
        await self._database.change(delete(waiters).where(waiters.c.release == release))

    async def ask_to_end(self, release: str, why: str) -> bool:
        """See `slipway.ports.Leases`."""
        first = case((waiters.c.asked_to_end == "", why), else_=waiters.c.asked_to_end)
        ask = update(waiters).where(waiters.c.release == release).values(asked_to_end=first)
        return await self._database.change(ask) == 1


def _joining(release: Release, seconds: float) -> Insert:
    place = select(releases.c.number).where(releases.c.id == release.id).scalar_subquery()
    row = {
        "release": release.id,
        "stack": release.stack,
        "target": release.target,
        "kind": release.kind.value,
        "commit_sha": str(release.commit) if release.commit else None,
        "place": place,
        "asked_to_end": "",
        "expires": database_now() + seconds,
    }
    return insert(waiters).values(row)


def _waiter_from(row: RowMapping) -> Waiter:
    return Waiter(
        release=row["release"],
        stack=row["stack"],
        target=row["target"],
        kind=Kind(row["kind"]),
        commit=row["commit_sha"] and Commit(row["commit_sha"]),
        place=row["place"],
        asked_to_end=row["asked_to_end"],
    )

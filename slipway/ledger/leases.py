"""Leases: who may change a stack now."""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, or_, select, update
from sqlalchemy.engine import Connection

from slipway.domain.process import ProcessIdentity
from slipway.errors import LeaseLost
from slipway.ledger.dialect import database_now, insert_if_absent
from slipway.ledger.part import LedgerPart
from slipway.ledger.rows import Row, moment, process_column, process_in
from slipway.ledger.tables import lease as leases
from slipway.ports import Holder, Lease


class SqlLeases(LedgerPart):
    """One row a stack; its fence only grows."""

    async def acquire(
        self, stack: str, holder: str, seconds: float, process: ProcessIdentity | None = None
    ) -> Lease | None:
        """See `slipway.ports.Leases`."""
        term: dict[str, Any] = {
            "holder": holder,
            "expires": database_now() + seconds,
            "process": process_column(process),
        }
        take = (
            update(leases)
            .where(
                leases.c.stack == stack,
                or_(leases.c.holder.is_(None), leases.c.expires <= database_now()),
            )
            .values(**term, fence=leases.c.fence + 1, process_fence=leases.c.fence + 1)
            .returning(leases.c.fence)
        )
        first = {"stack": stack, "fence": 1, "process_fence": 1} | term

        def take_or_make(connection: Connection) -> int | None:
            fence = connection.scalar(take)
            if fence is None:
                make = insert_if_absent(connection.dialect, leases, first)
                fence = connection.scalar(make.returning(leases.c.fence))
            return fence

        fence = await self._database.transaction(take_or_make)
        return None if fence is None else Lease(stack, holder, fence)

    async def renew(self, lease: Lease, seconds: float) -> None:
        """See `slipway.ports.Leases`."""
        statement = update(leases).where(*_ours(lease)).values(expires=database_now() + seconds)
        if await self._database.change(statement) == 1:
            return
        raise LeaseLost(
            f"the lease of stack {lease.stack} with fence {lease.fence} is not {lease.holder}'s "
            "any more: it ran out and was taken, nothing more may be changed with it; slipway "
            "history TARGET tells how the release ended"
        )

    async def give_back(self, lease: Lease) -> None:
        """See `slipway.ports.Leases`."""
        await self._database.change(update(leases).where(*_ours(lease)).values(holder=None))

    async def holder(self, stack: str) -> Holder | None:
        """See `slipway.ports.Leases`."""
        statement = select(*holder_columns()).where(leases.c.stack == stack)
        row = next(iter(await self._database.rows(statement)), None)
        return None if row is None else holder_from(row)


def holder_columns() -> tuple[ColumnElement[Any], ...]:
    """What `holder_from` reads; the holder is NULL where nobody holds the lease now."""
    held = and_(leases.c.holder.is_not(None), leases.c.expires > database_now())
    return (
        leases.c.stack.label("lease_stack"),
        case((held, leases.c.holder)).label("lease_holder"),
        leases.c.fence.label("lease_fence"),
        leases.c.expires.label("lease_expires"),
        leases.c.process.label("lease_process"),
        leases.c.process_fence.label("lease_process_fence"),
    )


def holder_from(row: Row) -> Holder | None:
    """Read who holds a lease, None for nobody."""
    if row["lease_holder"] is None:
        return None
    lease = Lease(row["lease_stack"], row["lease_holder"], row["lease_fence"])
    # An older program takes a lease without a word of its process: what stands there is another's.
    told = row["lease_process"] if row["lease_process_fence"] == lease.fence else None
    return Holder(lease, moment(row["lease_expires"]), process_in(told))


def _ours(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    return (
        leases.c.stack == lease.stack,
        leases.c.holder == lease.holder,
        leases.c.fence == lease.fence,
    )

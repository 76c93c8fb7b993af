"""Leases: who may change a stack now."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.engine import Connection

from slipway.errors import LeaseLost
from slipway.ledger.dialect import database_now, insert_if_absent
from slipway.ledger.part import LedgerPart
from slipway.ledger.rows import moment
from slipway.ledger.tables import lease as leases
from slipway.ports import Lease


class SqlLeases(LedgerPart):
    """One row a stack; its fence only grows."""

    async def acquire(self, stack: str, holder: str, seconds: float) -> Lease | None:
        """See `slipway.ports.Leases`."""
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
        first = {"stack": stack, "fence": 1} | term

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

    async def holder(self, stack: str) -> tuple[str, datetime] | None:
        """See `slipway.ports.Leases`."""
        statement = select(leases.c.holder, leases.c.expires).where(
            leases.c.stack == stack,
            leases.c.holder.is_not(None),
            leases.c.expires > database_now(),
        )
        row = next(iter(await self._database.rows(statement)), None)
        return None if row is None else (row["holder"], moment(row["expires"]))


def _ours(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    return (
        leases.c.stack == lease.stack,
        leases.c.holder == lease.holder,
        leases.c.fence == lease.fence,
    )

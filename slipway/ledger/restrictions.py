"""Holds and vetoes; lifted ones stay, for those who read the history."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Insert, RowMapping, Select, Table, Update, or_, select, update
from sqlalchemy.engine import Connection

from slipway.domain.commit import Commit
from slipway.domain.hold import Hold, Lift, Lifted, NewHold, NewVeto, Veto
from slipway.ledger.dialect import database_now, insert_if_absent
from slipway.ledger.part import LedgerPart
from slipway.ledger.rows import moment
from slipway.ledger.tables import hold as holds
from slipway.ledger.tables import veto as vetoes


class SqlRestrictions(LedgerPart):
    """What automation must not do at a target."""

    async def place_hold(self, target: str, hold: NewHold) -> Hold:
        """See `slipway.ports.Restrictions`."""
        [row] = await self._database.rows(holding(target, hold).returning(*holds.c))
        return _hold_from(row)

    async def holds(self, target: str, *, ever: bool = False) -> Sequence[Hold]:
        """See `slipway.ports.Restrictions`."""
        wanted = select(holds).where(holds.c.target == target).order_by(holds.c.number)
        if not ever:
            unended = or_(holds.c.until.is_(None), holds.c.until > database_now())
            wanted = wanted.where(holds.c.lifted.is_(None), unended)
        rows = await self._database.rows(wanted)
        return [_hold_from(row) for row in rows]

    async def lift_hold(self, number: int, by: str, why: str) -> None:
        """See `slipway.ports.Restrictions`."""
        await self._database.change(lifting(holds, Lift(number, by, why)))

    async def place_veto(self, target: str, veto: NewVeto) -> Veto:
        """See `slipway.ports.Restrictions`."""
        standing = _standing_vetoes(target).where(vetoes.c.commit_sha == str(veto.commit))

        def place(connection: Connection) -> RowMapping:
            veto_unless_vetoed(connection, target, veto)
            return connection.execute(standing).mappings().one()

        return _veto_from(await self._database.transaction(place))

    async def vetoes(self, target: str, *, ever: bool = False) -> Sequence[Veto]:
        """See `slipway.ports.Restrictions`."""
        wanted = _vetoes_of(target) if ever else _standing_vetoes(target)
        rows = await self._database.rows(wanted)
        return [_veto_from(row) for row in rows]

    async def lift_veto(self, number: int, by: str, why: str) -> None:
        """See `slipway.ports.Restrictions`."""
        await self._database.change(lifting(vetoes, Lift(number, by, why)))


def lifting(table: Table, lift: Lift) -> Update:
    """The end of a hold or a veto; of one that has ended, nothing."""
    return (
        update(table)
        .where(table.c.number == lift.number, table.c.lifted.is_(None))
        .values(lifted=database_now(), lifted_by=lift.by, lifted_why=lift.why)
    )


def hold_unless_held(connection: Connection, target: str, hold: NewHold, release: str) -> None:
    """Insert a release's hold, once however often the release is saved."""
    placed = select(holds.c.number).where(holds.c.release == release)
    if connection.execute(placed).first() is None:
        connection.execute(holding(target, hold, release))


def holding(target: str, hold: NewHold, release: str = "") -> Insert:
    """The insertion of a hold."""
    return holds.insert().values(
        target=target,
        reason=hold.reason,
        placed_by=hold.by,
        since=database_now(),
        until=hold.until.timestamp() if hold.until else None,
        about=str(hold.about) if hold.about else None,
        release=release,
    )


def veto_unless_vetoed(
    connection: Connection, target: str, veto: NewVeto, release: str = ""
) -> None:
    """Insert a veto where none stands for the commit at the target.

    A release's once: what a person has lifted since does not come back by recovering it.
    """
    placed = select(vetoes.c.number).where(vetoes.c.release == release)
    if release and connection.execute(placed).first() is not None:
        return
    row = {
        "target": target,
        "commit_sha": str(veto.commit),
        "reason": veto.reason,
        "placed_by": veto.by,
        "since": database_now(),
        "release": release,
    }
    connection.execute(insert_if_absent(connection.dialect, vetoes, row))


def _vetoes_of(target: str) -> Select[Any]:
    return select(vetoes).where(vetoes.c.target == target).order_by(vetoes.c.number)


def _standing_vetoes(target: str) -> Select[Any]:
    return _vetoes_of(target).where(vetoes.c.lifted.is_(None))


def _hold_from(row: RowMapping) -> Hold:
    return Hold(
        number=row["number"],
        target=row["target"],
        reason=row["reason"],
        by=row["placed_by"],
        since=moment(row["since"]),
        until=None if row["until"] is None else moment(row["until"]),
        about=row["about"] and Commit(row["about"]),
        release=row["release"],
        lifted=_lifted_from(row),
    )


def _veto_from(row: RowMapping) -> Veto:
    return Veto(
        number=row["number"],
        target=row["target"],
        commit=Commit(row["commit_sha"]),
        reason=row["reason"],
        by=row["placed_by"],
        since=moment(row["since"]),
        release=row["release"],
        lifted=_lifted_from(row),
    )


def _lifted_from(row: RowMapping) -> Lifted | None:
    if row["lifted"] is None:
        return None
    return Lifted(moment(row["lifted"]), row["lifted_by"], row["lifted_why"])

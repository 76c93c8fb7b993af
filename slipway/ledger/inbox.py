"""The webhook's inbox in the ledger's database."""

import functools
from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Update,
    delete,
    exists,
    func,
    select,
    tuple_,
    update,
)

from slipway.domain.commit import Commit
from slipway.domain.delivery import (
    WORKFLOW_RUN,
    AtTarget,
    Delivery,
    Ending,
    IntendedStart,
    Outcome,
    Push,
    PushAt,
    Receipt,
    ReceivedDelivery,
    ReceivedPush,
    StartedRun,
    Waiting,
)
from slipway.ledger.database import Database
from slipway.ledger.dialect import database_now
from slipway.ledger.receiving import receive
from slipway.ledger.rows import moment
from slipway.ledger.settings import LedgerSettings
from slipway.ledger.tables import delivery as deliveries
from slipway.ledger.tables import delivery_target as at_targets

AT_ONCE = 1000
"""Rows that one statement names: databases limit its parameters."""
T = TypeVar("T")

WITH_A_RUN = (Outcome.STARTED.value, Outcome.HELD.value)
"""Outcomes whose run was started for the delivery: at a held target it publishes the image."""


class SqlInbox:
    """The `Inbox` port on SQLite or PostgreSQL; belongs to one event loop until it is closed."""

    def __init__(self, settings: LedgerSettings) -> None:
        self._database = Database(settings, lasting=True)

    async def close(self) -> None:
        """Close every connection; a later call opens new ones."""
        await self._database.close()

    async def receive(self, received: Sequence[Delivery]) -> Sequence[Receipt]:
        """See `slipway.ports.Inbox`."""
        return await self._database.transaction(functools.partial(receive, received=received))

    async def waiting(self, target: str = "") -> Sequence[PushAt]:
        """See `slipway.ports.Inbox`."""
        statement = _waiting(deliveries, at_targets.c.target)
        if target:
            statement = statement.where(at_targets.c.target == target)
        return [_push_at(row) for row in await self._database.rows(statement)]

    async def waiting_elsewhere(self, targets: Collection[str]) -> Sequence[Waiting]:
        """See `slipway.ports.Inbox`."""
        seconds = (database_now() - deliveries.c.received).label("seconds")
        statement = _waiting(deliveries, at_targets.c.target, at_targets.c.reason, seconds)
        elsewhere = statement.where(at_targets.c.target.not_in(sorted(targets)))
        return [
            Waiting(_push_at(row), row["seconds"], row["reason"])
            for row in await self._database.rows(elsewhere)
        ]

    async def settle(self, waiting: Sequence[PushAt], ending: Ending) -> None:
        """See `slipway.ports.Inbox`."""
        await self._update(waiting, at_targets.c.intended.is_(None), **_ended(ending))

    async def put_off(self, waiting: Sequence[PushAt], why: str) -> None:
        """See `slipway.ports.Inbox`."""
        await self._update(waiting, reason=why)

    async def intend(self, start: IntendedStart) -> bool:
        """See `slipway.ports.Inbox`."""
        its, lost = at_targets.c, start.lost
        open_ = its.outcome.is_(None) if lost is None else its.run == lost.run
        this = (its.delivery == start.push.number, its.target == start.push.target)
        statement = update(at_targets).where(*this, open_, its.intended.is_(None))
        return await self._database.change(statement.values(intended=start.key)) > 0

    async def in_doubt(self, target: str) -> Sequence[IntendedStart]:
        """See `slipway.ports.Inbox`."""
        statement = (
            _runs_at(target).where(at_targets.c.intended.is_not(None)).order_by(deliveries.c.number)
        )
        return [
            IntendedStart(
                _push_at(row), row["intended"], _started_from(row) if row["outcome"] else None
            )
            for row in await self._database.rows(statement)
        ]

    async def end_doubt(self, push: PushAt, ending: Ending) -> None:
        """See `slipway.ports.Inbox`."""
        await self._update([push], intended=None, **_ended(ending))

    async def started(self, target: str, limit: int = 100) -> Sequence[StartedRun]:
        """See `slipway.ports.Inbox`."""
        statement = (
            _runs_at(target)
            .where(at_targets.c.outcome.in_(WITH_A_RUN), at_targets.c.run != "")
            .order_by(at_targets.c.decided.desc(), deliveries.c.number.desc())
            .limit(limit)
        )
        return [_started_from(row) for row in await self._database.rows(statement)]

    async def started_again(self, lost: StartedRun, run: str) -> None:
        """See `slipway.ports.Inbox`."""
        attempt = lost.attempt + 1
        reason = at_targets.c.reason + _again(lost.run, run, attempt)
        values = {"run": run, "attempt": attempt, "reason": reason, "intended": None}
        await self._database.change(_where_named(lost).values(values))

    async def remark(self, started: StartedRun, words: str) -> None:
        """See `slipway.ports.Inbox`."""
        reason = at_targets.c.reason + f"; {words}"
        await self._database.change(_where_named(started).values(reason=reason))

    async def pushes(self, repository: str, branch: str, limit: int = 100) -> Sequence[Push]:
        """See `slipway.ports.Inbox`."""
        statement = (
            select(deliveries)
            .where(
                func.lower(deliveries.c.repository) == repository.lower(),
                deliveries.c.branch == branch,
                deliveries.c.event != WORKFLOW_RUN,
            )
            .order_by(deliveries.c.number.desc())
            .limit(limit)
        )
        rows = await self._database.rows(statement)
        return [push for row in rows if (push := _push_from(row)) is not None]

    async def received_at(self, target: str, limit: int = 100) -> Sequence[ReceivedPush]:
        """See `slipway.ports.Inbox`."""
        its = (at_targets.c.target, at_targets.c.outcome, at_targets.c.reason, at_targets.c.run)
        statement = (
            select(deliveries, *its)
            .join(at_targets, at_targets.c.delivery == deliveries.c.number)
            .where(at_targets.c.target == target)
            .order_by(deliveries.c.number.desc())
            .limit(limit)
        )
        rows = await self._database.rows(statement)
        return [ReceivedPush(_push_at(row), _at_from(row).ending) for row in rows]

    async def known(self, ids: Sequence[str]) -> frozenset[str]:
        """See `slipway.ports.Inbox`."""
        found: set[str] = set()
        for these in _some_at_once(ids):
            wanted = select(deliveries.c.id).where(deliveries.c.id.in_(these))
            found.update(row["id"] for row in await self._database.rows(wanted))
        return frozenset(found)

    async def recent(self, limit: int = 100) -> Sequence[ReceivedDelivery]:
        """See `slipway.ports.Inbox`."""
        newest = select(deliveries).order_by(deliveries.c.number.desc()).limit(limit)

        def read(connection: Connection) -> tuple[Sequence[RowMapping], Sequence[RowMapping]]:
            rows = connection.execute(newest).mappings().all()
            these = at_targets.c.delivery.in_([row["number"] for row in rows])
            theirs = select(at_targets).where(these).order_by(at_targets.c.target)
            return rows, connection.execute(theirs).mappings().all()

        rows, at = await self._database.transaction(read)
        return [
            _received_from(row, [each for each in at if each["delivery"] == row["number"]])
            for row in rows
        ]

    async def forget(self, older_than: float, limit: int) -> int:
        """See `slipway.ports.Inbox`."""
        rows = await self._database.rows(_forgettable(older_than, limit))
        numbers = [row["number"] for row in rows]

        # What has ended stays so, and a newer push only makes more forgettable.
        def forget(connection: Connection) -> None:
            connection.execute(delete(at_targets).where(at_targets.c.delivery.in_(numbers)))
            connection.execute(delete(deliveries).where(deliveries.c.number.in_(numbers)))

        await self._database.transaction(forget)
        return len(numbers)

    async def count_waiting(self) -> int:
        """See `slipway.ports.Inbox`."""
        statement = select(func.count()).where(at_targets.c.outcome.is_(None))
        return int(await self._database.scalar(statement) or 0)

    async def _update(
        self, waiting: Sequence[PushAt], *only: ColumnElement[bool], **values: Any
    ) -> None:
        statement = update(at_targets).where(at_targets.c.outcome.is_(None), *only).values(**values)

        def write(connection: Connection) -> None:
            for some in _some_at_once(waiting):
                keys = [(each.number, each.target) for each in some]
                these = tuple_(at_targets.c.delivery, at_targets.c.target).in_(keys)
                connection.execute(statement.where(these))

        await self._database.transaction(write)


def _some_at_once(all_of_them: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(all_of_them), AT_ONCE):
        yield all_of_them[start : start + AT_ONCE]


def _waiting(*columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .join(at_targets, at_targets.c.delivery == deliveries.c.number)
        .where(at_targets.c.outcome.is_(None))
        .order_by(deliveries.c.number, at_targets.c.target)
    )


def _runs_at(target: str) -> Select[Any]:
    its = at_targets.c
    return (
        select(deliveries, its.target, its.outcome, its.run, its.decided, its.attempt, its.intended)
        .join(at_targets, its.delivery == deliveries.c.number)
        .where(its.target == target)
    )


def _where_named(started: StartedRun) -> Update:
    its = at_targets.c
    return update(at_targets).where(its.target == started.push.target, its.run == started.run)


def _started_from(row: RowMapping) -> StartedRun:
    return StartedRun(_push_at(row), row["run"], moment(row["decided"]), row["attempt"])


def _ended(ending: Ending) -> dict[str, Any]:
    return {
        "outcome": ending.outcome.value,
        "reason": ending.reason,
        "run": ending.run,
        "decided": database_now(),
    }


def _forgettable(older_than: float, limit: int) -> Select[tuple[int]]:
    waits = exists().where(
        at_targets.c.delivery == deliveries.c.number, at_targets.c.outcome.is_(None)
    )
    newest_pushes = (
        select(func.max(deliveries.c.number))
        .where(deliveries.c.branch.is_not(None), deliveries.c.event != WORKFLOW_RUN)
        .group_by(func.lower(deliveries.c.repository), deliveries.c.branch)
    )
    newest_builds = (
        select(func.max(deliveries.c.number))
        .join(at_targets, at_targets.c.delivery == deliveries.c.number)
        .where(deliveries.c.event == WORKFLOW_RUN)
        .group_by(at_targets.c.target)
    )
    return (
        select(deliveries.c.number)
        .where(
            deliveries.c.received < database_now() - older_than,
            ~waits,
            deliveries.c.number.not_in(newest_pushes),
            deliveries.c.number.not_in(newest_builds),
        )
        .order_by(deliveries.c.number)
        .limit(limit)
    )


def _push_from(row: RowMapping) -> Push | None:
    if row["after_sha"] is None:
        return None
    before = None if row["before_sha"] is None else Commit(row["before_sha"])
    return Push(row["branch"], before, Commit(row["after_sha"]))


def _push_at(row: RowMapping) -> PushAt:
    push = _push_from(row)
    assert push is not None  # noqa: S101 - only pushes are kept for a target
    return PushAt(
        row["number"],
        row["id"],
        row["target"],
        row["event"],
        row["repository"],
        row["sender"],
        push,
    )


def _again(lost: str, run: str, attempt: int) -> str:
    return f"; run {lost} was lost with its worker, and run {run} is attempt {attempt}"


def _received_from(row: RowMapping, at: Sequence[RowMapping]) -> ReceivedDelivery:
    delivery = Delivery(
        row["id"],
        row["digest"],
        row["event"],
        row["repository"],
        row["sender"],
        _push_from(row),
        tuple(each["target"] for each in at),
        row["ignored"],
    )
    return ReceivedDelivery(delivery, moment(row["received"]), tuple(map(_at_from, at)))


def _at_from(row: RowMapping) -> AtTarget:
    if row["outcome"] is None:
        return AtTarget(row["target"], None, row["reason"])
    return AtTarget(row["target"], Ending(Outcome(row["outcome"]), row["reason"], row["run"]))

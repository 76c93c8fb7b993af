"""What audits have found; a finding that is gone stays, for those who read the history."""

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, func, select, update
from sqlalchemy.engine import Connection

from slipway.domain.finding import (
    Changes,
    Finding,
    Judged,
    RecordedFinding,
    Remedy,
    Severity,
    compared,
)
from slipway.ledger.dialect import database_now, insert_if_absent
from slipway.ledger.part import LedgerPart
from slipway.ledger.rows import moment
from slipway.ledger.tables import audit
from slipway.ports import ALL


class SqlFindings(LedgerPart):
    """The findings of each target."""

    async def record_findings(self, target: str, judged: Judged) -> Changes:
        """See `slipway.ports.Findings`."""
        return await self._database.transaction(
            functools.partial(_record, target=target, judged=judged)
        )

    async def findings(
        self, target: str, *, ever: bool = False, limit: int = ALL
    ) -> Sequence[RecordedFinding]:
        """See `slipway.ports.Findings`."""
        wanted = select(audit).where(audit.c.target == target).order_by(audit.c.number.desc())
        if not ever:
            wanted = wanted.where(audit.c.gone.is_(None))
        rows = await self._database.rows(wanted.limit(limit))
        return [_from(row) for row in rows]

    async def left_alone(self, seconds: float) -> Sequence[str]:
        """See `slipway.ports.Findings`."""
        standing = select(audit.c.target).where(audit.c.gone.is_(None)).group_by(audit.c.target)
        old = standing.having(func.max(audit.c.looked) < database_now() - seconds)
        rows = await self._database.rows(old.order_by(audit.c.target))
        return [str(row["target"]) for row in rows]


def _record(connection: Connection, target: str, judged: Judged) -> Changes:
    standing = (audit.c.target == target, audit.c.gone.is_(None))
    connection.execute(update(audit).where(*standing).values(looked=database_now()))
    rows = connection.execute(select(audit).where(*standing)).mappings().all()
    now = connection.execute(select(database_now())).scalar_one()
    changes = compared(map(_from, rows), judged, moment(now))
    _write(connection, changes, now)
    return changes


def _write(connection: Connection, changes: Changes, now: float) -> None:
    for each in changes.new:
        row = {**_columns(each.finding), "since": now, "looked": now}
        connection.execute(insert_if_absent(connection.dialect, audit, row))
    for each in changes.persisting:
        _update(connection, each.finding, _columns(each.finding))
    for each in changes.gone:
        _update(connection, each.finding, {"gone": now})


def _update(connection: Connection, finding: Finding, values: dict[str, Any]) -> None:
    mine = (audit.c.target == finding.target, audit.c.fingerprint == finding.fingerprint)
    connection.execute(update(audit).where(*mine, audit.c.gone.is_(None)).values(values))


def _columns(finding: Finding) -> dict[str, Any]:
    return {
        "fingerprint": finding.fingerprint,
        "target": finding.target,
        "rule": finding.rule,
        "severity": finding.severity.value,
        "about": finding.about,
        "expected": finding.expected,
        "seen": finding.seen,
        "remedy": finding.remedy.sentence,
        "command": finding.remedy.command,
    }


def _from(row: RowMapping) -> RecordedFinding:
    found = Finding(
        row["rule"],
        Severity(row["severity"]),
        row["target"],
        row["about"],
        row["expected"],
        row["seen"],
        Remedy(row["remedy"], row["command"]),
    )
    return RecordedFinding(found, moment(row["since"]), _moment(row["gone"]))


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)

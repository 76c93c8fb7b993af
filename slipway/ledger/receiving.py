"""Receiving: deliveries are kept once, by their id and by what was signed."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, or_, select

from slipway.domain.delivery import Delivery, Receipt
from slipway.ledger.dialect import database_now, insert_if_absent
from slipway.ledger.tables import delivery as deliveries
from slipway.ledger.tables import delivery_target as at_targets


def receive(connection: Connection, received: Sequence[Delivery]) -> list[Receipt]:
    """Keep what is new, and what it waits for at its targets; of what is not, the first receipt."""
    numbers = _insert(connection, received)
    new = _places_of(numbers, received)
    waiting = [
        {"delivery": numbers[each.id], "target": target, "reason": "", "run": ""}
        for each in (received[place] for place in sorted(new))
        for target in each.targets
    ]
    if waiting:
        connection.execute(at_targets.insert(), waiting)
    again = [each for place, each in enumerate(received) if place not in new]
    first = _first_ones(connection, again)
    return [
        Receipt(each.id, is_new=True, ignored=each.ignored)
        if place in new
        else _receipt_of(first.get(("id", each.id)) or first["digest", each.digest])
        for place, each in enumerate(received)
    ]


def _insert(connection: Connection, received: Sequence[Delivery]) -> dict[str, int]:
    """Insert what is not there; the numbers that it got, by id."""
    statement = insert_if_absent(
        connection.dialect, deliveries, {"received": database_now()}
    ).returning(deliveries.c.number, deliveries.c.id)
    inserted = connection.execute(statement, [_columns(each) for each in received])
    return {row.id: row.number for row in inserted}


def _places_of(inserted: Mapping[str, int], received: Sequence[Delivery]) -> frozenset[int]:
    """Which of the received were inserted: where an id comes twice, the first."""
    first: dict[str, int] = {}
    for place, each in enumerate(received):
        first.setdefault(each.id, place)
    return frozenset(place for id_, place in first.items() if id_ in inserted)


def _columns(each: Delivery) -> dict[str, Any]:
    push = each.push
    return {
        "id": each.id,
        "digest": each.digest,
        "event": each.event,
        "repository": each.repository,
        "sender": each.sender,
        "branch": push and push.branch,
        "before_sha": push.before.sha if push and push.before else None,
        "after_sha": push and push.after.sha,
        "ignored": each.ignored,
    }


def _first_ones(
    connection: Connection, again: Sequence[Delivery]
) -> dict[tuple[str, str], RowMapping]:
    """The rows that kept these out, by the id and by the digest that they may share."""
    if not again:
        return {}
    same = or_(
        deliveries.c.id.in_([each.id for each in again]),
        deliveries.c.digest.in_([each.digest for each in again]),
    )
    rows = connection.execute(select(deliveries).where(same)).mappings().all()
    return {(column, row[column]): row for row in rows for column in ("id", "digest")}


def _receipt_of(first: RowMapping) -> Receipt:
    return Receipt(first["id"], is_new=False, ignored=first["ignored"])

"""`slipway deliveries`: what GitHub delivered, and what became of it."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from slipway.cli.output import local, print_json, print_table
from slipway.cli.session import Session
from slipway.domain.delivery import AtTarget, Outcome, ReceivedDelivery

WAITING = "waiting"
HEADS = ("received", "delivery", "event", "by", "commit", "target", "outcome", "reason")
SHORT = 8


@click.command
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@click.pass_obj
def deliveries(session: Session, limit: int, *, as_json: bool) -> None:
    """Show the deliveries received last, newest first, with what became of each."""
    received = session.run(_read(session, limit))
    if as_json:
        print_json([delivery_record(each) for each in received])
    elif received:
        print_table(HEADS, [row for each in received for row in _rows(each)])
    else:
        click.echo("the inbox is empty", err=True)


async def _read(session: Session, limit: int) -> Sequence[ReceivedDelivery]:
    inbox = session.inbox()
    try:
        return await inbox.recent(limit)
    finally:
        await inbox.close()


def delivery_record(received: ReceivedDelivery) -> dict[str, Any]:
    """A delivery for scripts. The keys are a contract: docs/command-line.md."""
    delivery = received.delivery
    push = delivery.push
    return {
        "id": delivery.id,
        "received": received.received.isoformat(),
        "event": delivery.event,
        "repository": delivery.repository or None,
        "sender": delivery.sender or None,
        "branch": push.branch if push else None,
        "before": str(push.before) if push and push.before else None,
        "after": str(push.after) if push else None,
        "ignored": delivery.ignored or None,
        "targets": [_target_record(each) for each in received.at],
    }


def _target_record(at: AtTarget) -> dict[str, Any]:
    return {
        "target": at.target,
        "outcome": at.ending.outcome.value if at.ending else None,
        "reason": at.ending.reason if at.ending else at.waits_for,
        "prefect_run": (at.ending.run or None) if at.ending else None,
    }


def _rows(received: ReceivedDelivery) -> Iterator[tuple[str, ...]]:
    delivery = received.delivery
    commit = delivery.push.after.short if delivery.push else ""
    first = (
        local(received.received),
        delivery.id[:SHORT],
        delivery.event,
        delivery.sender,
        commit,
    )
    if delivery.ignored:
        yield (*first, "", Outcome.IGNORED.value, delivery.ignored)
    for each in received.at:
        if each.ending is None:
            yield (*first, each.target, WAITING, each.waits_for)
        else:
            yield (*first, each.target, each.ending.outcome.value, each.ending.reason)

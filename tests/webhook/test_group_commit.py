"""Deliveries at the same time share a commit; each is acknowledged by it, or told why not."""

import asyncio

import pytest

from slipway.errors import LedgerUnusable, Unreachable
from slipway.webhook.group_commit import AT_ONCE, GroupCommit, Overloaded
from tests.fakes.inbox import MemoryInbox
from tests.ledger.inbox_contract import a_delivery


async def test_those_that_arrive_during_a_commit_share_the_next() -> None:
    inbox = MemoryInbox()
    group = GroupCommit(inbox, most_waiting=1000)
    names = [f"n{number}" for number in range(AT_ONCE + 50)]

    receipts = await asyncio.gather(*(group.keep(a_delivery(name)) for name in names))

    assert [each.delivery for each in receipts] == [f"id-{name}" for name in names]
    assert inbox.groups == [AT_ONCE, 50]


async def test_one_after_the_other_is_one_commit_each() -> None:
    inbox = MemoryInbox()
    group = GroupCommit(inbox, most_waiting=10)

    for name in ("one", "two"):
        await group.keep(a_delivery(name))

    assert inbox.groups == [1, 1]


async def test_beyond_what_may_wait_a_delivery_is_turned_away_and_the_others_are_kept() -> None:
    inbox = MemoryInbox()
    group = GroupCommit(inbox, most_waiting=3)

    ends = await asyncio.gather(
        *(group.keep(a_delivery(f"n{number}")) for number in range(5)), return_exceptions=True
    )

    assert [isinstance(each, Overloaded) for each in ends] == [False] * 3 + [True] * 2
    assert [each.delivery.id for each in inbox.kept] == ["id-n0", "id-n1", "id-n2"]


async def test_a_moment_without_the_ledger_is_waited_out() -> None:
    inbox = MemoryInbox(failures=[Unreachable("locked"), Unreachable("locked")])

    receipt = await GroupCommit(inbox, most_waiting=3).keep(a_delivery())

    assert receipt.is_new


async def test_what_is_kept_although_the_answer_was_lost_is_new_once() -> None:
    inbox = MemoryInbox(lost_answers=[Unreachable("reset"), Unreachable("reset")])
    group = GroupCommit(inbox, most_waiting=10)
    sent = [a_delivery("one"), a_delivery("two"), a_delivery("one"), a_delivery("3", body="two")]

    receipts = await asyncio.gather(*(group.keep(each) for each in sent))

    assert [(each.delivery, each.is_new) for each in receipts] == [
        ("id-one", True),
        ("id-two", True),
        ("id-one", False),
        ("id-two", False),
    ]
    assert len(inbox.kept) == 2


@pytest.mark.parametrize("error", [LedgerUnusable("disk full"), RuntimeError("a defect")])
async def test_a_group_that_can_not_be_kept_is_told_so_and_the_next_is_not_harmed(
    error: Exception,
) -> None:
    inbox = MemoryInbox(failures=[error])  # type: ignore[list-item] # a defect is not ours
    group = GroupCommit(inbox, most_waiting=10)

    ends = await asyncio.gather(
        *(group.keep(a_delivery(f"n{number}")) for number in range(2)), return_exceptions=True
    )
    later = await group.keep(a_delivery("later"))

    assert ends == [error, error]
    assert later.is_new


async def test_who_gives_up_waiting_harms_nobody() -> None:
    inbox = MemoryInbox()
    group = GroupCommit(inbox, most_waiting=10)
    leaving, staying = (
        asyncio.create_task(group.keep(a_delivery(name))) for name in ("leaving", "staying")
    )
    await asyncio.sleep(0)

    leaving.cancel()

    assert (await staying).is_new

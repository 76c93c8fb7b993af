"""The inbox keeps its contract in memory and on a real SQLite file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from slipway.ledger.inbox import SqlInbox
from slipway.ports import Inbox
from tests.fakes.inbox import MemoryInbox
from tests.ledger.examples import sqlite_at
from tests.ledger.inbox_contract import InboxContract, a_delivery


class TestMemoryInbox(InboxContract):
    @pytest.fixture
    def inbox(self) -> Inbox:
        return MemoryInbox()


class TestSqlInbox(InboxContract):
    @pytest.fixture
    async def inbox(self, tmp_path: Path) -> AsyncIterator[Inbox]:
        made = SqlInbox(sqlite_at(tmp_path / "ledger.db"))
        yield made
        await made.close()


async def test_a_delivery_outlives_the_program_that_received_it(tmp_path: Path) -> None:
    first, second = (SqlInbox(sqlite_at(tmp_path / "ledger.db")) for _ in range(2))
    await first.receive([a_delivery()])
    await first.close()

    [waiting] = await second.waiting()
    await second.close()

    assert waiting.delivery == "id-first"

"""The ledger in memory keeps the contract, and its time is the running loop's."""

import asyncio

import pytest

from slipway.ports import Ledger
from tests.fakes.ledger import MemoryLedger
from tests.ledger.contract import LedgerContract
from tests.ledger.examples import STACK


class TestMemoryLedger(LedgerContract):
    @pytest.fixture
    def ledger(self) -> Ledger:
        return MemoryLedger()

    async def set_clock_back(self, ledger: Ledger) -> None:
        assert isinstance(ledger, MemoryLedger)
        ledger.skew -= 3600


async def test_virtual_time_runs_a_lease_out(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = MemoryLedger()
    loop = asyncio.get_running_loop()
    at = loop.time()
    await ledger.acquire(STACK, "ada", 3600)

    monkeypatch.setattr(loop, "time", lambda: at + 3601)

    assert await ledger.acquire(STACK, "bob", 60) is not None

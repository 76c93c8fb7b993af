"""The ledger on a real PostgreSQL keeps the same contract as on SQLite."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from slipway.domain.journal import intent
from slipway.domain.release import Phase, Release
from slipway.errors import ReleaseChanged, SlipwayError, Unreachable
from slipway.ledger import dialect
from slipway.ledger.database import Database
from slipway.ledger.inbox import SqlInbox
from slipway.ledger.settings import LedgerSettings
from slipway.ledger.sql import SqlLedger
from slipway.ports import Inbox, Ledger
from slipway.webhook.group_commit import GroupCommit
from tests.ledger.contender import take_turn
from tests.ledger.contract import LedgerContract
from tests.ledger.examples import (
    STACK,
    TINY,
    a_request,
    a_target,
    eventually,
    let_an_hour_have_passed,
    until,
)
from tests.ledger.inbox_contract import InboxContract, a_delivery
from tests.ledger.journal_contract import require_whole
from tests.ledger.migration import FIXTURES, differences, require_carried_over
from tests.sandbox import postgres

pytestmark = [pytest.mark.sandbox, postgres.needed]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres.running() as address:
        yield address


@pytest.fixture
def settings(server: str) -> LedgerSettings:
    return LedgerSettings(url=SecretStr(postgres.new_database(server)))


class TestPostgresLedger(LedgerContract):
    @pytest.fixture
    async def ledger(self, settings: LedgerSettings) -> AsyncIterator[Ledger]:
        yield SqlLedger(settings)
        await asyncio.sleep(0)  # asyncpg's transports close their sockets in the loop's next turn

    async def set_clock_back(self, ledger: Ledger) -> None:
        await let_an_hour_have_passed(ledger)


class TestPostgresInbox(InboxContract):
    @pytest.fixture
    async def inbox(self, settings: LedgerSettings) -> AsyncIterator[Inbox]:
        made = SqlInbox(settings)
        yield made
        await made.close()


async def test_the_same_deliveries_at_several_receivers_are_kept_once(
    settings: LedgerSettings,
) -> None:
    """In other orders, so that they wait for each other: whoever gives up tries again."""
    inboxes = [SqlInbox(settings) for _ in range(4)]
    names = [f"n{number}" for number in range(20)]

    async def receive(inbox: SqlInbox, turn: int) -> int:
        group = GroupCommit(inbox, most_waiting=1000)
        ordered = names[turn:] + names[:turn]
        receipts = await asyncio.gather(*(group.keep(a_delivery(name)) for name in ordered))
        return sum(each.is_new for each in receipts)

    new = await asyncio.gather(*(receive(each, n * 5) for n, each in enumerate(inboxes)))

    assert sum(new) == len(names)
    assert await inboxes[0].count_waiting() == len(names)
    for each in inboxes:
        await each.close()


async def test_fences_grow_by_one_whoever_takes_the_lease(settings: LedgerSettings) -> None:
    """Each has its own connections, and all meet an empty database: they migrate at once, too."""
    contenders = [SqlLedger(settings) for _ in range(8)]

    async def take_turns(name: str, ledger: Ledger) -> list[object]:
        turns = [await take_turn(ledger, name, abandon=turn % 2 == 1) for turn in range(6)]
        return [turn["fence"] for turn in turns]

    taken = await asyncio.gather(
        *(take_turns(f"contender-{n}", each) for n, each in enumerate(contenders))
    )

    assert sorted(str(fence).zfill(3) for fences in taken for fence in fences) == [
        str(number).zfill(3) for number in range(1, 49)
    ]


@pytest.fixture
def of_the_first_schema(settings: LedgerSettings) -> LedgerSettings:
    url = settings.url.get_secret_value().replace("+asyncpg", "")
    fixture = str(FIXTURES / "r0001-postgresql.sql")
    psql = [postgres.tool("psql"), "-d", url, "-v", "ON_ERROR_STOP=1", "-q", "-f", fixture]
    subprocess.run(psql, check=True, capture_output=True)
    return settings


async def test_a_ledger_of_the_first_schema_is_carried_over(
    of_the_first_schema: LedgerSettings,
) -> None:
    await require_carried_over(SqlLedger(of_the_first_schema))


@pytest.mark.parametrize("statement", ["UPDATE journal SET content = '{}'", "DELETE FROM journal"])
async def test_the_journal_is_append_only(settings: LedgerSettings, statement: str) -> None:
    ledger = SqlLedger(settings)
    release = await ledger.open(a_target(), a_request())

    with pytest.raises(SlipwayError, match="append-only"):
        await Database(settings).change(text(statement))

    assert len(await ledger.journal(release.id)) == 1


async def test_saves_of_one_release_at_once_leave_one_chain(settings: LedgerSettings) -> None:
    ledger = SqlLedger(settings)
    release = await ledger.open(a_target(), a_request())
    contenders = [SqlLedger(settings) for _ in range(8)]

    await asyncio.gather(
        *(
            each.save(replace(release, fence=number), intent("push"))
            for number in range(4)
            for each in contenders
        ),
        return_exceptions=True,
    )

    [newest] = await ledger.history("adapter-prod")
    await require_whole(ledger, newest)


async def test_the_migrations_make_exactly_the_tables(settings: LedgerSettings) -> None:
    assert await Database(settings).transaction(differences) == []


async def test_a_server_that_is_gone_is_unreachable() -> None:
    url = SecretStr("postgresql+asyncpg://slipway:canary@127.0.0.1:1/ledger")

    with pytest.raises(Unreachable) as refused:
        await SqlLedger(LedgerSettings(url=url)).history("adapter-prod")

    assert "canary" not in str(refused.value)


async def holding(ledger: Ledger) -> Release:
    """A release that has pinned under a lease which is about to run out."""
    release = await ledger.open(a_target(), a_request())
    lease = await ledger.acquire(STACK, release.id, TINY)
    assert lease is not None
    return await ledger.save(replace(release, fence=lease.fence).at(Phase.PINNED))


def state_of(pid: int) -> str:
    """What the kernel says of a process (proc(5)): T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def stands_still(pid: int) -> bool:
    return state_of(pid) == "T"


@contextlib.asynccontextmanager
async def stopped(
    settings: LedgerSettings, release: Release, what: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that has stopped itself in the transaction of a save, or of a renewal."""
    url = settings.url.get_secret_value()
    words = [sys.executable, "-m", "tests.ledger.stopping", url, release.id, what]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)

    try:
        await until(lambda: stands_still(process.pid))
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def told_by(process: asyncio.subprocess.Process) -> list[str]:
    """What it prints once it goes on."""
    process.send_signal(signal.SIGCONT)
    output, _ = await process.communicate()
    return output.decode().split()


async def test_a_process_stopped_in_a_renewal_keeps_nobody_from_its_lease(
    settings: LedgerSettings,
) -> None:
    ledger = SqlLedger(settings)
    release = await holding(ledger)

    async with stopped(settings, release, "renew") as process:
        lease = await eventually(lambda: ledger.acquire(STACK, "recovery", 60))
        told = await told_by(process)

    assert told == ["Unreachable", "LeaseLost"]
    assert lease.fence == release.fence + 1
    held = await ledger.holder(STACK)
    assert held is not None
    assert held.lease.holder == "recovery"


async def test_a_process_stopped_in_a_save_keeps_nobody_from_its_release(
    settings: LedgerSettings,
) -> None:
    ledger = SqlLedger(settings)
    release = await holding(ledger)

    async with stopped(settings, release, "save") as process, asyncio.timeout(60):
        lease = await eventually(lambda: ledger.acquire(STACK, "recovery", 60))
        [read] = await ledger.unfinished(STACK)
        taken = await ledger.save(replace(read, fence=lease.fence))
        told = await told_by(process)

    assert told == ["Unreachable", "LeaseLost"]
    assert taken.phase is Phase.PINNED
    assert await ledger.find(release.id) == taken
    await require_whole(ledger, taken)


async def test_what_is_committed_while_a_takeover_waits_for_the_row_is_not_overwritten(
    settings: LedgerSettings,
) -> None:
    ledger = SqlLedger(settings)
    release = await holding(ledger)

    async with stopped(settings, release, "save") as process, asyncio.timeout(60):
        lease = await eventually(lambda: ledger.acquire(STACK, "recovery", 60))
        [read] = await ledger.unfinished(STACK)
        taking = asyncio.create_task(ledger.save(replace(read, fence=lease.fence)))
        await until(lambda: waits_for_a_lock(settings))
        told = await told_by(process)
        with pytest.raises(ReleaseChanged):
            await taking

    assert told == ["committed", "LeaseLost"]
    saved = await ledger.find(release.id)
    assert saved is not None
    assert saved.phase is Phase.APPLYING
    await ledger.save(replace(saved, fence=lease.fence))


async def waits_for_a_lock(settings: LedgerSettings) -> bool:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return bool(await Database(settings).scalar(waiting))


async def test_who_waits_too_long_for_a_lock_is_told_that_the_ledger_did_not_answer(
    settings: LedgerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = SqlLedger(settings)
    release = await holding(ledger)
    monkeypatch.setitem(dialect.SESSION, "lock_timeout", "100ms")
    impatient = SqlLedger(settings)
    await impatient.find(release.id)

    async with stopped(settings, release, "save"):
        with pytest.raises(Unreachable, match="lock timeout"):
            await impatient.save(release.at(Phase.APPLYING))


async def test_an_export_is_written_as_slowly_as_whoever_reads_it(
    settings: LedgerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = SqlLedger(settings)
    opened = [await ledger.open(a_target(), a_request()) for _ in range(3)]
    monkeypatch.setitem(dialect.SESSION, "idle_in_transaction_session_timeout", "1s")
    ledger = SqlLedger(settings)
    written: list[dict[str, object]] = []

    def slowly(record: dict[str, object]) -> None:
        if not written:
            time.sleep(1.5)
        written.append(record)

    await ledger.export(slowly)

    releases = [each["id"] for each in written if each["table"] == "release"]
    assert releases == [each.id for each in opened]

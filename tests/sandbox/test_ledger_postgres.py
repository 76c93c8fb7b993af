"""The ledger on a real PostgreSQL keeps the same contract as on SQLite."""

import asyncio
import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from slipway.domain.journal import intent
from slipway.errors import SlipwayError, Unreachable
from slipway.ledger.database import Database
from slipway.ledger.inbox import SqlInbox
from slipway.ledger.settings import LedgerSettings
from slipway.ledger.sql import SqlLedger
from slipway.ports import Inbox, Ledger
from slipway.webhook.group_commit import GroupCommit
from tests.ledger.contender import take_turn
from tests.ledger.contract import LedgerContract
from tests.ledger.examples import a_request, a_target, let_an_hour_have_passed
from tests.ledger.inbox_contract import InboxContract, a_delivery
from tests.ledger.journal_contract import require_whole
from tests.ledger.migration import FIXTURES, differences, require_carried_over

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
INITDB = shutil.which("initdb", path=os.pathsep.join([*map(str, DEBIAN), os.environ["PATH"]]))
USER = "nobody" if os.geteuid() == 0 else None
"""PostgreSQL refuses to run as root."""

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(INITDB is None, reason="PostgreSQL is not installed"),
]


def tool(name: str) -> str:
    return str(Path(INITDB or "").with_name(name))


def run_as_server(folder: Path, name: str, *arguments: str) -> None:
    # To nowhere: the server would keep a pipe open after pg_ctl has ended.
    nowhere = subprocess.DEVNULL
    subprocess.run(
        [tool(name), *arguments], cwd=folder, user=USER, check=True, stdout=nowhere, stderr=nowhere
    )


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server of our own on a free port, with its files in a folder that its user may enter."""
    folder = Path("/tmp") / f"slipway-postgres-{uuid.uuid4().hex}"  # noqa: S108 - random name
    folder.mkdir(mode=0o700)
    if USER is not None:
        shutil.chown(folder, USER)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    cluster, log = str(folder / "cluster"), str(folder / "log")
    where = f"-h 127.0.0.1 -p {port} -k {folder}"
    run_as_server(folder, "initdb", "-D", cluster, "-A", "trust", "-U", "slipway")
    run_as_server(folder, "pg_ctl", "-D", cluster, "-l", log, "-w", "-o", where, "start")
    yield f"127.0.0.1:{port}"
    run_as_server(folder, "pg_ctl", "-D", cluster, "-m", "immediate", "-w", "stop")
    shutil.rmtree(folder)


@pytest.fixture
def settings(server: str) -> LedgerSettings:
    host, _, port = server.partition(":")
    name = f"ledger_{uuid.uuid4().hex}"
    subprocess.run(
        [tool("createdb"), "-h", host, "-p", port, "-U", "slipway", name],
        check=True,
        capture_output=True,
    )
    return LedgerSettings(url=SecretStr(f"postgresql+asyncpg://slipway@{server}/{name}"))


class TestPostgresLedger(LedgerContract):
    @pytest.fixture
    def ledger(self, settings: LedgerSettings) -> Ledger:
        return SqlLedger(settings)

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
    psql = [tool("psql"), "-d", url, "-v", "ON_ERROR_STOP=1", "-q", "-f", fixture]
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
        async with Database(settings).transaction() as connection:
            await connection.exec_driver_sql(statement)

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
    async with Database(settings).transaction() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_server_that_is_gone_is_unreachable() -> None:
    url = SecretStr("postgresql+asyncpg://slipway:canary@127.0.0.1:1/ledger")

    with pytest.raises(Unreachable) as refused:
        await SqlLedger(LedgerSettings(url=url)).history("adapter-prod")

    assert "canary" not in str(refused.value)

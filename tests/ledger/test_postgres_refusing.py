"""A PostgreSQL that answers and lets nobody in, as it does while it starts or shuts down."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from slipway.errors import LedgerUnusable, SlipwayError, Unreachable
from slipway.ledger.settings import LedgerSettings
from slipway.ledger.sql import SqlLedger

SSL_REQUEST = 80877103


@asynccontextmanager
async def refusing(state: str, message: str) -> AsyncIterator[str]:
    """The address of a server that ends each start-up with this error (ErrorResponse)."""
    fields = ["SFATAL", "VFATAL", f"C{state}", f"M{message}"]
    body = b"".join(each.encode() + b"\0" for each in fields) + b"\0"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length, kind = struct.unpack("!II", await reader.readexactly(8))
        if kind == SSL_REQUEST:
            writer.write(b"N")
            length, _ = struct.unpack("!II", await reader.readexactly(8))
        await reader.readexactly(length - 8)
        writer.write(b"E" + struct.pack("!I", len(body) + 4) + body)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("state", "message", "error"),
    [
        ("57P03", "the database system is starting up", Unreachable),
        ("53300", "sorry, too many clients already", Unreachable),
        ("28P01", "password authentication failed", LedgerUnusable),
        ("3D000", 'database "ledger" does not exist', LedgerUnusable),
    ],
)
async def test_a_server_that_lets_nobody_in_is_told_as_what_it_is(
    state: str, message: str, error: type[SlipwayError]
) -> None:
    async with refusing(state, message) as address:
        url = SecretStr(f"postgresql+asyncpg://slipway:canary@{address}/ledger")

        with pytest.raises(error, match=message) as refused:
            await SqlLedger(LedgerSettings(url=url)).history("adapter-prod")

    assert "canary" not in str(refused.value)
    assert "SLIPWAY_LEDGER_URL" in str(refused.value)

"""The receiver behind its real server on loopback."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from slipway.ports import Inbox
from slipway.webhook.app import build_receiver, build_server
from tests.fakes.inbox import MemoryInbox
from tests.webhook.requests import SUBSCRIPTIONS, settings


@contextlib.asynccontextmanager
async def serving(inbox: Inbox | None = None, **changed: Any) -> AsyncIterator[int]:
    """A receiver that listens; its port."""
    chosen = settings(**changed)
    receiver = build_receiver(chosen, SUBSCRIPTIONS, inbox or MemoryInbox(), lambda _: None)
    server = build_server(chosen, receiver)
    running = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running


async def talk(port: int, *pieces: bytes) -> bytes:
    """Send the pieces, and read until the server closes; what it said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

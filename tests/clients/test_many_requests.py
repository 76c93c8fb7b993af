"""Many requests go over other connections, and end as those of httpx do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from slipway.clients import registry_session
from slipway.clients.many_requests import ManyRequests, many_requests
from slipway.clients.registry_session import MANY, RegistrySession
from slipway.clients.trust import trusted
from slipway.errors import InvalidInput, RegistryUnusable, Unreachable

SCOPE = ("acme/shop", "pull")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def serving(answer: Serve) -> AsyncIterator[str]:
    """A registry that answers so; its host."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def saying(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(answer)
        await writer.drain()

    return serve


@pytest.fixture(params=[1, MANY])
def expected(request: pytest.FixtureRequest) -> int:
    """How many requests the session was told of."""
    return int(request.param)


@pytest.fixture
async def session(expected: int) -> AsyncIterator[RegistrySession]:
    async with RegistrySession() as session:
        session.expect(expected)
        yield session


async def asked(session: RegistrySession, host: str, method: str = "GET") -> int:
    """The status of the answer."""
    return (await session.request(method, host, "/v2/acme/shop/x", scope=SCOPE)).status


async def test_only_many_requests_go_over_the_other_connections(
    session: RegistrySession, expected: int
) -> None:
    async with serving(saying(FINE)) as host:
        assert await asked(session, host) == 200

    assert session._client is not None
    assert isinstance(session._client._transport, ManyRequests) is (expected == MANY)


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", b"HTTP/1.1 200"],
    ids=["closed at once", "no HTTP", "cut off", "cut off in its head"],
)
async def test_a_registry_that_talks_nonsense_or_stops_is_unreachable(
    session: RegistrySession, answer: bytes
) -> None:
    async with serving(saying(answer)) as host:
        with pytest.raises(Unreachable, match=host):
            await asked(session, host)


async def test_a_registry_that_is_not_there_is_unreachable(session: RegistrySession) -> None:
    async with serving(saying(FINE)) as host:
        pass

    with pytest.raises(Unreachable, match=host):
        await asked(session, host)


async def test_an_endless_answer_is_not_read_to_its_end(session: RegistrySession) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()

    async with serving(endless) as host:
        with pytest.raises(RegistryUnusable, match="sends more than"):
            await asked(session, host)


async def test_a_registry_that_says_nothing_is_unreachable_after_a_while(
    session: RegistrySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_session, "TIMEOUT", httpx.Timeout(0.3))

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await head(reader)
        await asyncio.sleep(3600)

    async with serving(silent) as host:
        with pytest.raises(Unreachable, match="did not answer GET"):
            await asked(session, host)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_connections_are_kept(session: RegistrySession, method: str) -> None:
    heads: list[bytes] = []
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            heads.append(await head(reader))
            writer.write(FINE if method == "GET" else FINE.removesuffix(b"{}"))

    async with serving(serve) as host:
        for _ in range(5):
            assert await asked(session, host, method) == 200
        await session.close()

    assert (connections, len(heads)) == (1, 5)


async def test_a_registry_gets_no_cookie_back_and_is_told_who_asks(
    session: RegistrySession,
) -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            heads.append((await head(reader)).lower())
            writer.write(FINE.replace(b"\r\n", b"\r\nSet-Cookie: a=b; Path=/\r\n", 1))

    async with serving(serve) as host:
        for _ in range(2):
            await asked(session, host)

    assert [(b"cookie" in each, b"user-agent: slipway" in each) for each in heads] == [
        (False, True),
        (False, True),
    ]


async def test_no_redirect_leads_to_plain_http(session: RegistrySession) -> None:
    elsewhere = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://evil.example/x\r\n"

    async with serving(saying(elsewhere + b"Content-Length: 0\r\n\r\n")) as host:
        with pytest.raises(InvalidInput, match=r"plain http to evil\.example"):
            await asked(session, host)


async def test_who_waits_is_not_cut_off_when_many_requests_are_expected() -> None:
    goes_on = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await goes_on.wait()
        writer.write(FINE)
        await writer.drain()

    async with RegistrySession() as session, serving(slow) as host:
        waiting = asyncio.ensure_future(asked(session, host))
        await asyncio.sleep(0.1)
        session.expect(MANY)
        another = asyncio.ensure_future(asked(session, host))
        await asyncio.sleep(0.1)
        goes_on.set()

        assert (await waiting, await another) == (200, 200)


async def test_a_session_that_was_closed_opens_new_connections(session: RegistrySession) -> None:
    async with serving(saying(FINE)) as host:
        await asked(session, host)
        await session.close()
        assert await asked(session, host) == 200


def test_behind_a_proxy_httpx_keeps_its_own_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")

    assert many_requests(trusted()) is None

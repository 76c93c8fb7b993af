"""On real connections: slow, endless and broken senders, beside good ones."""

import asyncio
import contextlib
import json
from pathlib import Path

import httpx
import pytest
import yaml

from slipway.errors import Unreachable
from tests.fakes.inbox import MemoryInbox
from tests.webhook.requests import headers, push
from tests.webhook.serving import serving, talk

BODY = json.dumps(push()).encode()
HEAD = b"POST /github HTTP/1.1\r\nhost: slipway\r\n"
CLAIMED = HEAD + b"x-hub-signature-256: sha256=" + b"0" * 64 + b"\r\n"
"""Begins a request whose body is waited for."""
DESCRIPTION = Path(__file__).parents[2] / "docs" / "webhook.openapi.yaml"
STALLED = 100
DEADLINE = 4.0


async def deliver(client: httpx.AsyncClient, name: str) -> httpx.Response:
    body = json.dumps(push(name=name)).encode()
    sent = headers(body, delivery=f"delivery-{name}")
    return await client.post("/github", content=body, headers=list(sent.items()))


async def test_a_delivery_is_acknowledged_over_http_and_the_connection_is_kept() -> None:
    inbox = MemoryInbox()
    async with (
        serving(inbox) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        answers = [await deliver(client, str(number)) for number in range(3)]
        refused = await client.get("/nowhere")

    assert [each.status_code for each in answers] == [202] * 3
    assert len(inbox.kept) == 3
    assert "connection" not in answers[0].headers
    assert (refused.status_code, refused.headers["connection"]) == (404, "close")


async def test_a_head_request_is_answered_without_a_body() -> None:
    async with serving() as port, asyncio.timeout(20):
        answer = await talk(port, b"HEAD /health HTTP/1.1\r\nhost: slipway\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 405 ")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("first", [b"HTTP/1.1\r\nconnection: close", b"HTTP/1.0"])
async def test_who_wants_one_answer_is_told_that_it_is_the_last(first: bytes) -> None:
    begun = b"POST /github " + first + b"\r\nhost: slipway\r\n"
    async with serving() as port, asyncio.timeout(20):
        answer = await talk(port, _request(BODY, "delivery-once", begun))

    assert answer.startswith(b"HTTP/1.1 202 ")
    assert answer.lower().count(b"connection: close") == 1


async def test_requests_that_come_in_one_piece_are_answered_one_after_the_other() -> None:
    inbox = MemoryInbox()
    requests = [
        _request(json.dumps(push(name=str(number))).encode(), f"delivery-{number}")
        for number in range(3)
    ]
    last = b"GET /nowhere HTTP/1.1\r\nhost: slipway\r\n\r\n"
    async with serving(inbox) as port, asyncio.timeout(20):
        answer = await talk(port, b"".join(requests) + last)

    assert answer.count(b"HTTP/1.1 202 ") == 3
    places = [answer.index(f"delivery-{number}".encode()) for number in range(3)]
    assert places == sorted(places)
    assert answer.index(b"HTTP/1.1 404 ") > places[-1]


def _request(body: bytes, delivery: str, begun: bytes = HEAD) -> bytes:
    """A delivery as it is sent."""
    sent = headers(body, delivery=delivery)
    named = b"".join(b"%b: %b\r\n" % each for each in sent.items())
    return begun + named + b"content-length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    ("name", "begun"),
    [
        ("says nothing", b""),
        ("stalls in the request line", b"POST /git"),
        ("stalls in the headers", HEAD + b"x-github-event: pu"),
        ("stalls before the end of the headers", HEAD + b"content-length: 5\r\n"),
        ("stalls before the body", CLAIMED + b"content-length: 5\r\n\r\n"),
        ("stalls in the body", CLAIMED + b"content-length: 5\r\n\r\n{"),
        ("stalls in a chunk", CLAIMED + b"transfer-encoding: chunked\r\n\r\n5\r\n{"),
        ("stalls after an answer", b"GET /health HTTP/1.1\r\nhost: slipway\r\n\r\n"),
    ],
)
async def test_who_stalls_is_hung_up_on(name: str, begun: bytes) -> None:
    del name
    async with serving(deadline=0.2) as port, asyncio.timeout(20):
        await talk(port, begun)


async def test_who_sends_drop_by_drop_is_hung_up_on() -> None:
    async with serving(deadline=0.3) as port, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD)
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"x-drop: 1\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await reader.read(1000)
        writer.close()


async def test_stalled_senders_are_closed_while_good_ones_are_answered() -> None:
    stalls = [HEAD + b"x-github-ev", CLAIMED + b"content-length: 100\r\n\r\n{"]
    async with (
        serving(deadline=DEADLINE) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
        asyncio.timeout(60),
    ):
        stalled = [
            asyncio.create_task(talk(port, stalls[number % 2])) for number in range(2 * STALLED)
        ]
        answers: list[httpx.Response] = []
        while not all(each.done() for each in stalled):
            answers.append(await deliver(client, str(len(answers))))

    assert {each.status_code for each in answers} == {202}
    assert len(answers) > 1
    assert {(await each)[:12] for each in stalled} == {b"HTTP/1.1 408"}


async def test_a_head_that_does_not_end_is_cut() -> None:
    endless = (b"x-padding: %s\r\n" % (b"x" * 1000)) * 1000
    async with serving() as port, asyncio.timeout(20):
        answer = await talk(port, HEAD + endless)

    assert not answer or answer.startswith(b"HTTP/1.1 431")


async def test_trailers_that_do_not_end_are_cut() -> None:
    trailers = (b"x-padding: %s\r\n" % (b"x" * 1000)) * 1000
    chunked = CLAIMED + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"
    async with serving(body_cap=1000) as port, asyncio.timeout(20):
        answer = await talk(port, chunked, trailers)

    assert not answer or answer.startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    "broken",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS spoken to a plain port
        b"GET\r\n\r\n",
        b"POST /github HTTP/9.9\r\n\r\n",
        b"POST \xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        HEAD + b"content-length: -1\r\n\r\n",
        HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\nx",
        HEAD + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_not_http_is_a_400_and_the_end(broken: bytes) -> None:
    async with serving() as port, asyncio.timeout(20):
        answer = await talk(port, broken)

    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401"))


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (400, b"no HTTP at all\r\n\r\n"),
        (408, CLAIMED + b"content-length: 5\r\n\r\n{"),
        (431, HEAD + b"x-padding: %s\r\n" % (b"x" * 40_000)),
    ],
)
async def test_what_is_answered_before_a_request_is_whole_is_as_described(
    status: int, sent: bytes
) -> None:
    async with serving(deadline=0.3) as port, asyncio.timeout(20):
        answer = await talk(port, sent)

    expect_described(answer, status)


async def test_beyond_the_most_connections_senders_are_told_when_to_come_back() -> None:
    async with serving(most_connections=3) as port, asyncio.timeout(20):
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        answer = await talk(port, _request(BODY, "delivery-late"))
        for _, writer in idle:
            writer.close()

    expect_described(answer, 503)
    assert b"\r\nretry-after: 1\r\n" in answer


def expect_described(answer: bytes, status: int) -> None:
    """Each is an error as docs/webhook.openapi.yaml has it, and the connection's last."""
    head, _, body = answer.partition(b"\r\n\r\n")
    responses = yaml.safe_load(DESCRIPTION.read_text())["paths"]["/github"]["post"]["responses"]

    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert str(status) in responses
    assert b"\r\ncontent-type: application/json\r\n" in head
    assert b"\r\nconnection: close" in head
    assert [*json.loads(body)] == ["error"]


async def test_an_acknowledged_delivery_is_kept_when_the_server_is_asked_to_end() -> None:
    inbox = MemoryInbox(failures=[Unreachable("busy for a moment")] * 2)
    async with httpx.AsyncClient(timeout=20) as client:
        async with serving(inbox) as port:
            client.base_url = httpx.URL(f"http://127.0.0.1:{port}")
            delivering = asyncio.create_task(deliver(client, "1"))
            while len(inbox.failures) > 1:  # noqa: ASYNC110 - the fake tells nobody
                await asyncio.sleep(0.01)
        answer = await delivering

    assert (answer.status_code, len(inbox.kept)) == (202, 1)


async def until_it_is_too_many(client: httpx.AsyncClient, *sources: str) -> int:
    """Send what is refused until that is too many; the last status."""
    status = 0
    for number in range(1000):
        source = {"x-forwarded-for": sources[number % len(sources)]}
        if (status := (await client.get("/nowhere", headers=source)).status_code) == 429:
            break
    return status


async def test_behind_a_trusted_proxy_the_sender_is_who_the_proxy_says() -> None:
    async with (
        serving(trusted_proxies="127.0.0.1") as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        last = await until_it_is_too_many(client, "198.51.100.7")
        good = await deliver(client, "1")

    assert (last, good.status_code) == (429, 202)


async def test_behind_a_proxy_that_is_not_trusted_strangers_do_not_lock_github_out() -> None:
    async with (
        serving() as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        last = await until_it_is_too_many(client, "198.51.100.7")
        good = await deliver(client, "1")

    assert (last, good.status_code) == (429, 202)


async def test_who_is_no_proxy_can_not_say_who_it_is() -> None:
    many = [f"198.51.{number // 256}.{number % 256}" for number in range(1000)]
    async with (
        serving() as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        assert await until_it_is_too_many(client, *many) == 429

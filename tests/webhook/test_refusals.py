"""A source that sends what is refused is told so less often; a signed delivery is always taken."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from slipway.webhook.bodies import Bodies
from slipway.webhook.receiver import Receiver
from slipway.webhook.refusals import RefusalLimit, Refused
from tests.webhook.requests import Headers, ask, deliver, headers, push, receiver


def test_a_source_is_blocked_after_its_burst_and_forgiven_with_time() -> None:
    limit = RefusalLimit(burst=3, per_second=1)
    for _ in range(3):
        assert not limit.wait("192.0.2.1", 0)
        limit.count("192.0.2.1", 0)

    assert limit.wait("192.0.2.1", 0)
    assert not limit.wait("192.0.2.2", 0)
    assert not limit.wait("192.0.2.1", 1.5)


def test_the_wait_that_is_asked_for_is_long_enough_and_does_not_grow_for_ever() -> None:
    limit = RefusalLimit(burst=3, per_second=1)
    for _ in range(1000):
        limit.count("192.0.2.1", 0)

    wait = limit.wait("192.0.2.1", 0)

    assert 0 < wait <= 3
    assert not limit.wait("192.0.2.1", wait)


def test_one_host_has_all_addresses_of_its_network_of_ipv6() -> None:
    limit = RefusalLimit(burst=2, per_second=1)
    for number in range(2):
        limit.count(f"2001:db8::{number}", 0)

    assert limit.wait("2001:db8::ffff", 0)
    assert not limit.wait("2001:db8:0:1::1", 0)


def test_sources_are_forgotten_before_they_fill_the_memory() -> None:
    limit = RefusalLimit(burst=1, per_second=1, most_sources=100)
    for number in range(1000):
        limit.count(f"10.0.{number // 256}.{number % 256}", 0)

    assert len(limit._buckets) == 100


@pytest.mark.parametrize("source", ["", "not an address", "fe80::1%eth0", "::gg", "/run/socket"])
def test_whatever_the_source_is_called_it_counts(source: str) -> None:
    limit = RefusalLimit(burst=1, per_second=1)
    limit.count(source, 0)

    assert limit.wait(source, 0)


SOURCE = "198.51.100.1"


async def flood(app: Receiver, sent: Headers, method: str = "POST") -> list[int]:
    """What one source is told that sends what is refused, again and again at the same moment."""
    app.clock = lambda: 0.0
    return [
        (await ask(app, method, "/github", sent, [b"{}"], source=SOURCE))[0] for _ in range(103)
    ]


@pytest.mark.parametrize(
    ("sent", "method", "first"),
    [
        ({}, "GET", 405),
        ({}, "POST", 401),
        ({b"x-hub-signature-256": b"sha256=?"}, "POST", 401),
        (headers(b"{}", secret="that of a stranger's webhook at GitHub"), "POST", 401),
    ],
)
async def test_from_a_source_that_is_refused_too_often_a_signed_delivery_is_taken(
    sent: dict[bytes, bytes], method: str, first: int
) -> None:
    app = receiver()

    seen = await flood(app, [*sent.items()], method)
    good = [
        (await deliver(app, push(name=number), delivery=f"delivery-{number}", source=SOURCE))[0]
        for number in range(300)
    ]

    assert (seen[0], seen[-1]) == (first, 429)
    assert set(good) == {202}


async def test_from_such_a_source_health_is_told_too() -> None:
    app = receiver()
    await flood(app, [])

    assert (await ask(app, "GET", "/health", source=SOURCE))[0] == 200


@pytest.mark.parametrize("claimed", [None, b"", b"sha1=" + b"0" * 40, b"sha256=0", b"SHA256="])
async def test_a_body_that_nobody_claims_to_have_signed_is_not_read(claimed: bytes | None) -> None:
    sent = {b"x-hub-signature-256": claimed} if claimed is not None else {}

    # Without a piece of it, reading would end as the sender's going away: 400.
    assert (await ask(receiver(), "POST", "/github", sent.items(), []))[0] == 401


async def test_a_source_that_is_refused_too_often_leaves_room_for_the_bodies_of_others() -> None:
    bodies = Bodies(cap=10)
    stalled = [asyncio.create_task(_stall(bodies)) for _ in range(100)]
    await asyncio.sleep(0)

    refused = [each for each in stalled if each.done()]
    others = await bodies.read(_whole, None)
    with pytest.raises(Refused) as its_own:
        await bodies.read(_whole, None, is_suspect=True)

    assert len(refused) > len(stalled) // 2
    assert others == b"x" * 10
    assert its_own.value.status == 503
    for each in stalled:
        each.cancel()
    await asyncio.gather(*stalled, return_exceptions=True)


async def _stall(bodies: Bodies) -> None:
    """As a source that is refused too often: all but the last byte, and then nothing."""
    pieces = [{"type": "http.request", "body": b"x" * 9, "more_body": True}]

    async def receive() -> Mapping[str, Any]:
        if not pieces:
            await asyncio.Event().wait()
        return pieces.pop()

    await bodies.read(receive, None, is_suspect=True)


async def _whole() -> Mapping[str, Any]:
    return {"type": "http.request", "body": b"x" * 10}

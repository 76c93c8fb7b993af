"""A source that sends what is refused is not listened to for a while; a signed delivery is."""

import pytest

from slipway.webhook.refusals import RefusalLimit, Refused
from tests.webhook.requests import ask, deliver, receiver


def is_blocked(limit: RefusalLimit, source: str, now: float) -> int:
    """The seconds that a source is told to wait, 0 when it is listened to."""
    try:
        limit.check(source, now)
    except Refused as refused:
        return int(dict(refused.headers)[b"retry-after"])
    return 0


def test_a_source_is_blocked_after_its_burst_and_forgiven_with_time() -> None:
    limit = RefusalLimit(burst=3, per_second=1)
    for _ in range(3):
        assert not is_blocked(limit, "192.0.2.1", 0)
        limit.count("192.0.2.1", 0)

    assert is_blocked(limit, "192.0.2.1", 0)
    assert not is_blocked(limit, "192.0.2.2", 0)
    assert not is_blocked(limit, "192.0.2.1", 1.5)


def test_the_wait_that_is_asked_for_is_long_enough_and_does_not_grow_for_ever() -> None:
    limit = RefusalLimit(burst=3, per_second=1)
    for _ in range(1000):
        limit.count("192.0.2.1", 0)

    wait = is_blocked(limit, "192.0.2.1", 0)

    assert 0 < wait <= 3
    assert not is_blocked(limit, "192.0.2.1", wait)


def test_one_host_has_all_addresses_of_its_network_of_ipv6() -> None:
    limit = RefusalLimit(burst=2, per_second=1)
    for number in range(2):
        limit.count(f"2001:db8::{number}", 0)

    assert is_blocked(limit, "2001:db8::ffff", 0)
    assert not is_blocked(limit, "2001:db8:0:1::1", 0)


def test_sources_are_forgotten_before_they_fill_the_memory() -> None:
    limit = RefusalLimit(burst=1, per_second=1, most_sources=100)
    for number in range(1000):
        limit.count(f"10.0.{number // 256}.{number % 256}", 0)

    assert len(limit._buckets) == 100


@pytest.mark.parametrize("source", ["", "not an address", "fe80::1%eth0", "::gg", "/run/socket"])
def test_whatever_the_source_is_called_it_counts(source: str) -> None:
    limit = RefusalLimit(burst=1, per_second=1)
    limit.count(source, 0)

    assert is_blocked(limit, source, 0)


async def test_a_flood_of_refused_requests_is_429_and_signed_deliveries_are_not_limited() -> None:
    app = receiver()
    app.clock = lambda: 0.0

    flood = [(await ask(app, "GET", "/", source="198.51.100.1"))[0] for _ in range(102)]
    good = [(await deliver(app, delivery=f"delivery-{number}"))[0] for number in range(300)]

    assert flood[0] == 404
    assert flood[-1] == 429
    assert set(good) == {202}

"""The webhook's figures: what is sent is what GitHub would, and every flaw of a storm is told."""

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from benchmarks.samples import series
from benchmarks.signed import SECRET, deliveries
from benchmarks.storm import TARGETS, Aftermath, Run
from benchmarks.webhook import rows_of
from slipway.domain.commit import Commit
from slipway.domain.delivery import AtTarget, Delivery, Ending, Outcome, Push, ReceivedDelivery

OLD, NEW = "1" * 40, "2" * 40
WHEN = datetime(2026, 11, 26, tzinfo=UTC)
STARTED, SUPERSEDED = Outcome.STARTED, Outcome.SUPERSEDED


def kept(name: str, commit: str, *ends: Ending | None) -> ReceivedDelivery:
    push = Push("main", None, Commit(commit))
    delivery = Delivery(name, name, "push", "example/shop", "ada", push, TARGETS)
    at = tuple(AtTarget(target, end) for target, end in zip(TARGETS, ends, strict=True))
    return ReceivedDelivery(delivery, WHEN, at)


def superseded() -> Ending:
    return Ending(SUPERSEDED, "superseded: by a newer one")


GOOD = Aftermath(
    (OLD, NEW),
    frozenset({"old", "new"}),
    (
        kept("old", OLD, superseded(), superseded()),
        kept("new", NEW, Ending(STARTED, "started", "a"), Ending(STARTED, "started", "b")),
    ),
    (Run("a", TARGETS[0], NEW), Run("b", TARGETS[1], NEW)),
    1.0,
)


def test_a_storm_that_left_everything_in_order_has_no_flaw() -> None:
    assert GOOD.flaws() == []


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (replace(GOOD, acknowledged=frozenset({"old", "new", "x"})), "x was acknowledged and is"),
        (replace(GOOD, kept=(*GOOD.kept, GOOD.kept[0])), "old is kept 2 times"),
        (replace(GOOD, pushed=("3" * 40, OLD, NEW)), f"the push of {'3' * 40} never arrived"),
        (
            replace(GOOD, kept=(kept("old", OLD, superseded(), None), GOOD.kept[1])),
            "old has an outcome only at",
        ),
        (
            replace(GOOD, runs=(*GOOD.runs, Run("c", TARGETS[0], NEW))),
            "was run 2 times",
        ),
        (
            replace(GOOD, runs=(*GOOD.runs, Run("c", TARGETS[0], OLD))),
            "run c is there and not told of",
        ),
        (replace(GOOD, runs=GOOD.runs[:1]), "run b is told of and is not there"),
        (replace(GOOD, pushed=(NEW, OLD)), "the newest commit was never run at"),
    ],
)
def test_every_flaw_of_a_storm_is_told(left: Aftermath, told: str) -> None:
    assert any(told in flaw for flaw in left.flaws()), left.flaws()


def test_a_request_is_about_eight_kilobytes_and_signed() -> None:
    one, other = deliveries(2)

    head, _, body = one.request("/github").partition(b"\r\n\r\n")

    signed = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert f"X-Hub-Signature-256: sha256={signed}".encode() in head
    assert f"Content-Length: {len(body)}".encode() in head
    assert 7_500 < len(body) < 9_000
    assert (one.id, one.body) != (other.id, other.body)


def test_what_a_delivery_costs_is_held_to_the_bare_server_and_to_the_peer() -> None:
    measured = {"ours": series(150.0), "bare": series(60.0), "peer": series(1500.0)}

    bare, peer = rows_of(measured)

    assert (bare.ok, bare.ratio) == (True, 2.5)
    assert (peer.ok, peer.ratio) == (True, 0.1)


def test_without_the_peers_package_the_promise_beside_it_does_not_hold() -> None:
    _, peer = rows_of({"ours": series(150.0), "bare": series(60.0)})

    assert peer.ok is False
    assert "not installed" in peer.note

"""What the receiver answers, and what it keeps: acknowledged is on disk, everything else is not."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from slipway.domain.commit import Commit
from slipway.domain.delivery import Push
from slipway.errors import LedgerUnusable, Unreachable
from slipway.webhook.app import build_receiver
from slipway.webhook.health import Health
from tests.fakes.inbox import MemoryInbox
from tests.webhook.requests import (
    AFTER,
    BEFORE,
    SUBSCRIPTIONS,
    ask,
    deliver,
    headers,
    push,
    receiver,
    settings,
)

NOWHERE = "0" * 40


async def test_a_push_is_acknowledged_once_it_is_kept_for_each_of_its_targets() -> None:
    inbox = MemoryInbox()

    status, answer = await deliver(receiver(inbox))

    assert (status, answer) == (
        202,
        {"delivery": "delivery-1", "duplicate": False, "outcome": "accepted"},
    )
    waiting = await inbox.waiting()
    assert [each.target for each in waiting] == ["adapter-prod", "sink-prod"]
    assert waiting[0].push == Push("main", Commit(BEFORE), Commit(AFTER))
    assert (waiting[0].repository, waiting[0].sender) == ("acme/shop", "ada")


async def test_a_branch_that_is_made_has_no_commit_before() -> None:
    inbox = MemoryInbox()

    await deliver(receiver(inbox), push(before=NOWHERE))

    assert [each.push.before for each in await inbox.waiting()] == [None, None]


async def test_a_redelivery_is_acknowledged_with_the_first_id_and_kept_once() -> None:
    inbox = MemoryInbox()
    app = receiver(inbox)
    await deliver(app)

    again = await deliver(app)
    replayed = await deliver(app, delivery="another-id")

    same = {"delivery": "delivery-1", "duplicate": True, "outcome": "accepted"}
    assert (again, replayed) == ((202, same), (202, same))
    assert len(inbox.kept) == 1


@pytest.mark.parametrize(
    ("event", "payload", "why"),
    [
        ("ping", {"zen": "Design for failure.", "hook_id": 1}, "ping: the receiver works"),
        ("pull_request", {"action": "opened", "number": 1}, "event pull_request: only a push"),
        ("push", push(ref="refs/heads/feature"), "branch feature is that of no target"),
        ("push", push(ref="refs/tags/v1"), "refs/tags/v1 is not a branch"),
        ("push", push(after=NOWHERE, deleted=True), "refs/heads/main was deleted"),
        (
            "push",
            push(repository={"full_name": "mallory/shop", "fork": True}),
            "repository mallory/shop is that of no target",
        ),
    ],
)
async def test_what_deploys_nothing_is_answered_politely_with_the_reason(
    event: str, payload: dict[str, Any], why: str
) -> None:
    inbox = MemoryInbox()

    status, answer = await deliver(receiver(inbox), payload, event=event)

    assert (status, answer["outcome"]) == (200, "ignored")
    assert answer["reason"].startswith(why)
    assert await inbox.waiting() == []
    assert [each.delivery.ignored for each in inbox.kept] == [answer["reason"]]


async def test_a_branch_name_that_moves_a_terminals_cursor_is_shown_as_one_printable_line() -> None:
    _, answer = await deliver(receiver(), push(ref="refs/heads/x\x9b31m"))

    assert answer["reason"].startswith("branch x\\x9b31m is that of no target")


async def test_a_branch_deploys_only_its_own_targets() -> None:
    inbox = MemoryInbox()

    await deliver(receiver(inbox), push(ref="refs/heads/next"))

    assert [each.target for each in await inbox.waiting()] == ["adapter-next"]


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({b"content-type": b"application/x-www-form-urlencoded"}, 415),
        ({b"content-type": b""}, 415),
        ({b"content-type": b"application/json; charset=utf-8"}, 202),
        ({b"x-github-event": b""}, 400),
        ({b"x-github-event": b"push\n"}, 400),
        ({b"x-github-event": b"../push"}, 400),
        ({b"x-github-delivery": b""}, 400),
        ({b"x-github-delivery": b"'; drop table"}, 400),
        ({b"x-github-delivery": b"a" * 65}, 400),
        ({b"x-github-delivery": "é".encode() * 8}, 400),
    ],
)
async def test_headers_are_of_their_form_or_refused(
    changed: dict[bytes, bytes], status: int
) -> None:
    body = json.dumps(push()).encode()
    sent = {**headers(body), **changed}

    assert (await ask(receiver(), "POST", "/github", sent.items(), [body]))[0] == status


@pytest.mark.parametrize("name", [b"x-github-event", b"x-github-delivery", b"content-type"])
async def test_a_header_that_comes_twice_is_refused(name: bytes) -> None:
    body = json.dumps(push()).encode()
    sent = [*headers(body).items(), (name, headers(body)[name])]

    assert (await ask(receiver(), "POST", "/github", sent, [body]))[0] in {400, 415}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("POST", "/hooks", 404), ("GET", "/github", 405), ("POST", "/health", 405)],
)
async def test_other_paths_and_methods_are_the_senders_mistake(
    method: str, path: str, status: int
) -> None:
    seen, _, sent = await ask(receiver(), method, path)

    assert seen == status
    assert sent[b"connection"] == b"close"
    assert (b"allow" in sent) == (status == 405)


async def test_a_body_that_declares_more_than_the_cap_is_not_waited_for() -> None:
    app = receiver(body_cap=1000)
    sent = {**headers(b""), b"content-length": b"1001"}

    assert (await ask(app, "POST", "/github", sent.items(), []))[0] == 413


async def test_a_body_that_lies_about_its_length_is_capped_while_it_arrives() -> None:
    app = receiver(body_cap=1000)
    sent = {**headers(b""), b"content-length": b"10"}

    assert (await ask(app, "POST", "/github", sent.items(), [b"x" * 600, b"x" * 600]))[0] == 413


async def test_a_body_of_exactly_the_cap_is_taken_in_any_pieces() -> None:
    body = json.dumps(push()).encode().ljust(1000)
    app = receiver(body_cap=1000)
    pieces = [body[place : place + 7] for place in range(0, 1000, 7)]

    assert (await ask(app, "POST", "/github", headers(body).items(), pieces))[0] == 202


async def test_a_sender_that_goes_away_leaves_nothing() -> None:
    inbox = MemoryInbox()
    body = json.dumps(push()).encode()

    status, _, _ = await ask(receiver(inbox), "POST", "/github", headers(body).items(), [])

    assert status == 400
    assert inbox.kept == []


@pytest.mark.parametrize("error", [Unreachable("locked"), LedgerUnusable("disk full")])
async def test_what_can_not_be_kept_is_not_acknowledged(error: Exception) -> None:
    inbox = MemoryInbox(failures=[error] * 3)  # type: ignore[list-item] # both are ours
    body = json.dumps(push()).encode()
    app = receiver(inbox)

    status, answer, sent = await ask(app, "POST", "/github", headers(body).items(), [body])

    assert status == 503
    assert int(sent[b"retry-after"]) > 0
    assert str(error) not in answer["error"]
    assert inbox.kept == []


async def test_a_ledger_that_is_busy_for_a_moment_is_waited_for() -> None:
    inbox = MemoryInbox(failures=[Unreachable("locked")])

    status, _ = await deliver(receiver(inbox))

    assert status == 202
    assert len(inbox.kept) == 1


async def test_a_delivery_whose_commit_was_not_answered_is_dealt_with_at_once() -> None:
    inbox, woken = MemoryInbox(lost_answers=[Unreachable("reset")]), list[Sequence[str]]()
    app = build_receiver(settings(), SUBSCRIPTIONS, inbox, woken.append)

    _, answer = await deliver(app)

    assert woken == [("adapter-prod", "sink-prod")]
    assert answer["duplicate"] is False


async def test_health_says_how_much_waits() -> None:
    app = receiver()
    await deliver(app)

    assert (await ask(app, "GET", "/health"))[:2] == (200, {"status": "ok", "waiting": 2})


async def test_health_is_not_well_without_the_inbox(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> int:
        raise Unreachable("the ledger at postgresql://… did not answer")

    inbox = MemoryInbox()
    monkeypatch.setattr(inbox, "count_waiting", fail)

    assert (await ask(receiver(inbox), "GET", "/health"))[:2] == (
        503,
        {"error": "the inbox can't be used"},
    )


async def test_however_often_health_is_asked_the_inbox_is_asked_once_a_second() -> None:
    inbox = MemoryInbox()
    asked = []

    class Counting(MemoryInbox):
        async def count_waiting(self) -> int:
            asked.append(1)
            return await inbox.count_waiting()

    now = 0.0
    health = Health(Counting(), lambda: now)
    for _ in range(100):
        await health.tell()
    now = 1.5
    await health.tell()

    assert len(asked) == 2

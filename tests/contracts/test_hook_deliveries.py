"""What every HookDeliveries promises: the one in memory, and GitHub's API as it is stood in."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Protocol

import httpx
import pytest
from pydantic import SecretStr

from sandbox.box import Box
from sandbox.github.api import Api
from sandbox.github.deliveries import HOOK, Hook
from sandbox.github.packages import Packages, RegistryShelf
from sandbox.github.shown import Shown
from slipway.clients.github_hook import GitHubHook
from slipway.clients.github_session import GitHubSession, github_repository
from slipway.domain.undelivered import Attempt
from slipway.errors import AccessDenied
from slipway.ports import HookDeliveries
from tests.fakes.hook import FakeHook

NOWHERE = "http://127.0.0.1:1"
UP, DOWN = 202, 502
PAGE = 100
"""Attempts that GitHub lists at most in one answer."""


@dataclass
class Webhook:
    """What the deliveries are sent to: it notes their ids, and answers as it is told to."""

    answers: int = UP
    received: list[str] = field(default_factory=list)

    def receive(self, delivery: str) -> int:
        self.received.append(delivery)
        return self.answers


class Sender(Protocol):
    """Who sends to a webhook, and what it lists of that."""

    webhook: Webhook
    hook: HookDeliveries

    async def send(self, event: str = "push") -> None:
        """Something has happened that the webhook is told of."""


class InMemory:
    def __init__(self, webhook: Webhook) -> None:
        self.webhook = webhook
        self.hook: HookDeliveries = FakeHook(self._deliver)
        self.fake = self.hook
        self.sent = 0

    async def send(self, event: str = "push") -> None:
        self.sent += 1
        await self.fake.send(f"delivery-{self.sent}", event)

    async def _deliver(self, delivery: str) -> int:
        return self.webhook.receive(delivery)


def _no_packages(folder: Path) -> Packages:
    return Packages("acme", RegistryShelf(Box(folder)))


class AtGitHub:
    def __init__(self, webhook: Webhook, address: str, folder: Path) -> None:
        self.webhook = webhook
        self.sender = Hook(f"{address}/github", "secret", folder / "deliveries.jsonl")
        shown = Shown(f"{NOWHERE}/repos/acme/shop", lambda _: True)
        app = Api("acme/shop", "canary-token", shown, self.sender, _no_packages(folder)).app()
        repository = github_repository("acme/shop", SecretStr("canary-token"), NOWHERE)
        session = GitHubSession(repository, httpx.ASGITransport(app))
        self.hook: HookDeliveries = GitHubHook(session, HOOK)

    async def send(self, event: str = "push") -> None:
        await asyncio.to_thread(self.sender.deliver, event, {"ref": "refs/heads/main"})


@pytest.fixture
def webhook() -> Webhook:
    return Webhook()


@pytest.fixture
def address(webhook: Webhook) -> Iterator[str]:
    """Where the webhook listens, for who sends by HTTP."""

    class Listening(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(webhook.receive(self.headers["X-GitHub-Delivery"]))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Listening) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(params=["memory", "github"])
def sender(
    request: pytest.FixtureRequest, webhook: Webhook, address: str, tmp_path: Path
) -> Sender:
    if request.param == "memory":
        return InMemory(webhook)
    return AtGitHub(webhook, address, tmp_path)


async def test_attempts_are_listed_newest_first_with_what_was_answered(sender: Sender) -> None:
    await sender.send()
    sender.webhook.answers = DOWN
    await sender.send("workflow_run")

    told = [(each.delivery, each.event, each.status) for each in await sender.hook.attempts()]

    first, second = sender.webhook.received
    assert told == [(second, "workflow_run", DOWN), (first, "push", UP)]


async def test_only_what_was_acknowledged_has_arrived(sender: Sender) -> None:
    for answers in (UP, DOWN, 401):
        sender.webhook.answers = answers
        await sender.send()

    assert [each.arrived for each in await sender.hook.attempts()] == [False, False, True]


async def test_what_is_sent_again_has_the_same_id_and_is_an_attempt_of_its_own(
    sender: Sender,
) -> None:
    sender.webhook.answers = DOWN
    await sender.send()
    await sender.send()
    sender.webhook.answers = UP
    newest, failed = await sender.hook.attempts()

    await sender.hook.redeliver(failed)

    assert sender.webhook.received == [failed.delivery, newest.delivery, failed.delivery]
    again, *before = await sender.hook.attempts()
    assert before == [newest, failed]
    assert (again.delivery, again.event, again.arrived) == (failed.delivery, "push", True)
    assert again.number not in {newest.number, failed.number}


async def test_nothing_is_listed_before_something_was_sent(sender: Sender) -> None:
    assert await sender.hook.attempts() == []


async def test_more_attempts_than_a_page_holds_are_all_listed(sender: Sender) -> None:
    for _ in range(PAGE + 1):
        await sender.send()

    listed = [each.delivery for each in await sender.hook.attempts()]

    assert listed == sender.webhook.received[::-1]


async def test_an_attempt_that_was_never_made_is_not_sent_again(sender: Sender) -> None:
    await sender.send()
    [made] = await sender.hook.attempts()
    never: Attempt = replace(made, number=made.number + 1)

    with pytest.raises(AccessDenied):
        await sender.hook.redeliver(never)

    assert len(sender.webhook.received) == 1

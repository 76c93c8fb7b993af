"""The servers that `benchmarks.webhook` sends deliveries to, each a process of its own.

`python -m benchmarks.webhook_servers NAME PORT FOLDER`, the secret in `SLIPWAY_WEBHOOK_SECRETS`:
`ours` keeps nothing on disk, `durable` does, `bare` verifies a signature and does nothing else.
"""

import asyncio
import hmac
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import httptools
import uvloop
from pydantic import SecretStr

from slipway.domain.delivery import Delivery, Receipt
from slipway.ledger.inbox import SqlInbox
from slipway.ledger.settings import LedgerSettings
from slipway.webhook.app import build_receiver, build_server
from slipway.webhook.group_commit import GroupCommit
from slipway.webhook.routing import Subscription, Subscriptions
from slipway.webhook.settings import WebhookSettings

REPOSITORY = "example/shop"
ANSWER = b'{"delivery":"d","duplicate":false,"outcome":"accepted"}'


class Forgetful(SqlInbox):
    """An inbox that keeps nothing: what is left is the receiver's own work."""

    async def receive(self, received: Sequence[Delivery]) -> Sequence[Receipt]:
        """Every delivery is new."""
        return [Receipt(each.id, is_new=True, ignored=each.ignored) for each in received]


class Bare(asyncio.Protocol):
    """The least that a verifying server can do: parse HTTP, verify, answer."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._claimed = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the signature."""
        if name.lower() == b"x-hub-signature-256":
            self._claimed = value

    def on_body(self, body: bytes) -> None:
        """Keep the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Verify and answer."""
        signed = b"sha256=" + hmac.digest(self._secret, self._body, "sha256").hex().encode()
        status = b"202 Accepted" if hmac.compare_digest(signed, self._claimed) else b"401 No"
        head = b"HTTP/1.1 " + status + b"\r\ncontent-type: application/json\r\ncontent-length: "
        self._transport.write(head + str(len(ANSWER)).encode() + b"\r\n\r\n" + ANSWER)
        self._body = b""


async def bare(settings: WebhookSettings, _: Path) -> None:
    """Serve with nothing around it."""
    secret = settings.secrets[0].get_secret_value().encode()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Bare(secret), settings.host, settings.port)
    await server.serve_forever()


async def ours(settings: WebhookSettings, folder: Path) -> None:
    """Serve as `slipway webhook` does, with an inbox that forgets."""
    await _serve(settings, Forgetful(_ledger(folder)))


async def durable(settings: WebhookSettings, folder: Path) -> None:
    """Serve as `slipway webhook` does, with its inbox on disk."""
    await _serve(settings, SqlInbox(_ledger(folder)))


async def _serve(settings: WebhookSettings, inbox: SqlInbox) -> None:
    subscriptions = Subscriptions([Subscription("web-prod", REPOSITORY, "main")])
    receiver = build_receiver(settings, subscriptions, inbox, lambda _: None)
    assert isinstance(receiver.inbox, GroupCommit)  # noqa: S101 - what is measured
    await build_server(settings, receiver).serve()


def _ledger(folder: Path) -> LedgerSettings:
    return LedgerSettings(url=SecretStr(f"sqlite:///{folder / 'ledger.db'}"))


SERVERS: Mapping[str, Callable[[WebhookSettings, Path], Awaitable[None]]] = {
    "ours": ours,
    "durable": durable,
    "bare": bare,
}


async def _main(name: str, port: str, folder: str) -> None:
    settings = WebhookSettings.from_environment().model_copy(update={"port": int(port)})
    await SERVERS[name](settings, Path(folder))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(*sys.argv[1:]))

"""Builds the webhook's process: the one place here that makes clients."""

from collections.abc import Mapping

import uvicorn

from slipway.ports import Inbox
from slipway.webhook.bodies import Bodies
from slipway.webhook.group_commit import GroupCommit
from slipway.webhook.protocol import protocol
from slipway.webhook.receiver import Receiver
from slipway.webhook.routing import Subscriptions
from slipway.webhook.settings import WebhookSettings

KEEP_ALIVE = 5
"""Seconds that a connection may idle between requests."""
FINISH_WITHIN = 10
"""Seconds that requests under way get to end when the process is asked to."""


def build_receiver(
    settings: WebhookSettings, subscriptions: Subscriptions, inbox: Inbox
) -> Receiver:
    """The receiver on an inbox."""

    async def health() -> Mapping[str, object]:
        return {"waiting": await inbox.count_waiting()}

    return Receiver(
        settings.secrets,
        subscriptions,
        GroupCommit(inbox, settings.most_waiting),
        health,
        Bodies(settings.body_cap),
    )


def build_server(settings: WebhookSettings, receiver: Receiver) -> uvicorn.Server:
    """The HTTP server around the receiver, which ends in order on SIGTERM and SIGINT."""
    config = uvicorn.Config(
        receiver,
        host=settings.host,
        port=settings.port,
        http=protocol(settings.deadline, settings.body_cap),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
        limit_concurrency=settings.most_connections,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=FINISH_WITHIN,
    )
    return uvicorn.Server(config)

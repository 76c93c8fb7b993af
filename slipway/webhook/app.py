"""Builds the webhook's process: the one place here that makes clients."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from pydantic import SecretStr

from slipway.clients.git import GitMirror
from slipway.clients.git_remote import GitCredentials, Remote
from slipway.clients.github import GitHubApi
from slipway.clients.github_actions import GitHubActions
from slipway.clients.github_hook import GitHubHook
from slipway.clients.github_session import PUBLIC, GitHubSession, github_repository
from slipway.clients.prefect_api import PrefectApi, PrefectServer
from slipway.clients.processes import LocalProcesses
from slipway.domain.target import Target
from slipway.ledger.inbox import SqlInbox
from slipway.ledger.settings import LedgerSettings, state_folder
from slipway.ledger.sql import SqlLedger
from slipway.ports import FlowRuns, Inbox
from slipway.webhook.bodies import Bodies
from slipway.webhook.dispatcher import Dispatcher
from slipway.webhook.group_commit import GroupCommit
from slipway.webhook.health import Health
from slipway.webhook.keeping_on import keep_on
from slipway.webhook.left_open import LeftReleases
from slipway.webhook.left_runs import LeftRuns
from slipway.webhook.missed import MissedPushes
from slipway.webhook.missed_builds import MissedBuilds
from slipway.webhook.protocol import protocol
from slipway.webhook.pruning import Pruning
from slipway.webhook.receiver import Receiver
from slipway.webhook.routing import Subscription, Subscriptions
from slipway.webhook.settings import PrefectSettings, WebhookSettings
from slipway.webhook.undelivered import UndeliveredDeliveries
from slipway.webhook.unserved import Unserved
from slipway.webhook.watched import SharedSource, WatchedTarget

KEEP_ALIVE = 5
"""Seconds that a connection may idle between requests."""
FINISH_WITHIN = 10
"""Seconds that requests under way get to end when the process is asked to."""


@dataclass(frozen=True, slots=True)
class PushedTarget:
    """A target, and where its pushes come from."""

    target: Target
    github: str
    """The repository at GitHub: `owner/name`."""
    url: str
    username: str = ""
    token: SecretStr | None = None
    github_token: SecretStr | None = None
    github_api: str = PUBLIC
    github_hook: int = 0

    @property
    def host(self) -> GitHubApi | None:
        """Who is told what becomes of pushes, if somebody is."""
        return GitHubApi(self._session) if self._session else None

    @property
    def builds(self) -> GitHubActions | None:
        """Who is asked whether the workflow that builds the image has ended, if somebody is."""
        return GitHubActions(self._session) if self._session else None

    @property
    def hook(self) -> GitHubHook | None:
        """Where failed deliveries are asked for, if they are."""
        if self._session is None or not self.github_hook:
            return None
        return GitHubHook(self._session, self.github_hook)

    @property
    def _session(self) -> GitHubSession | None:
        if self.github_token is None:
            return None
        place = github_repository(self.github, self.github_token, self.github_api)
        return GitHubSession(place)

    @property
    def remote(self) -> Remote:
        """The repository, as its reader sees it."""
        if self.token is None:
            return Remote(self.url)
        return Remote(self.url, GitCredentials(self.username, self.token))


async def serve(
    settings: WebhookSettings, pushed: Sequence[PushedTarget], targets: Sequence[Target]
) -> None:
    """Receive and dispatch until the process is asked to end; what is kept waits for the next.

    What dead processes leave open at any of `targets` is recovered by the way.
    """
    ledger_settings = LedgerSettings.from_environment()
    inbox, ledger = SqlInbox(ledger_settings), SqlLedger(ledger_settings)
    runs = _prefect(settings)
    watched = _watched(pushed)
    dispatcher = Dispatcher(watched, inbox, ledger, runs)
    missed = MissedPushes(watched, inbox, dispatcher.wake)
    builds = MissedBuilds(watched, inbox, dispatcher.wake)
    subscriptions = Subscriptions(
        Subscription(each.target.name, each.github, each.target.branch, each.target.workflow)
        for each in pushed
    )
    receiver = build_receiver(settings, subscriptions, inbox, dispatcher.wake)
    http = build_server(settings, receiver)
    hooks = {each.github: each.hook for each in pushed if each.hook is not None}
    failed = UndeliveredDeliveries(hooks, inbox)
    unserved = Unserved(dispatcher.lanes, inbox)
    pruning = Pruning(inbox, settings.keep_days)
    left = LeftReleases(targets, ledger, runs, LocalProcesses())
    ended = LeftRuns(targets, ledger, runs, LocalProcesses())
    dispatching = asyncio.create_task(
        _all(
            dispatcher.run(),
            *(keep_on(each.run) for each in (missed, builds, failed, pruning, unserved)),
            *(keep_on(each.run) for each in (left, ended)),
        )
    )
    # Nothing is acknowledged that nobody would deal with.
    dispatching.add_done_callback(lambda _: http.handle_exit(signal.SIGTERM, None))
    try:
        await http.serve()
    finally:
        dispatching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await dispatching
        for each in (runs, inbox, ledger):
            await each.close()


async def watch(settings: PrefectSettings, targets: Sequence[Target]) -> None:
    """Have Prefect recover what dead processes leave open, until cancelled."""
    ledger, runs = SqlLedger(LedgerSettings.from_environment()), _prefect(settings)
    looking = [look(targets, ledger, runs, LocalProcesses()) for look in (LeftReleases, LeftRuns)]
    try:
        await _all(*(keep_on(each.run) for each in looking))
    finally:
        for each in (runs, ledger):
            await each.close()


async def watch_here(runs: FlowRuns, targets: Sequence[Target]) -> None:
    """The same without Prefect: `runs` recovers by itself."""
    ledger = SqlLedger(LedgerSettings.from_environment())
    try:
        await keep_on(LeftReleases(targets, ledger, runs, LocalProcesses()).run)
    finally:
        await ledger.close()


def _prefect(settings: PrefectSettings) -> PrefectApi:
    server = PrefectServer(
        settings.prefect_url,
        settings.prefect_key,
        settings.prefect_auth_string,
        settings.prefect_ui,
    )
    return PrefectApi(server)


async def _all(*works: Coroutine[Any, Any, None]) -> None:
    async with asyncio.TaskGroup() as group:
        for each in works:
            group.create_task(each)


def build_receiver(
    settings: WebhookSettings,
    subscriptions: Subscriptions,
    inbox: Inbox,
    wake: Callable[[Sequence[str]], None],
) -> Receiver:
    """The receiver on an inbox."""
    return Receiver(
        settings.secrets,
        subscriptions,
        GroupCommit(inbox, settings.most_waiting),
        Health(inbox).tell,
        Bodies(settings.body_cap),
        wake,
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


def _watched(pushed: Sequence[PushedTarget]) -> list[WatchedTarget]:
    """The targets, those of one repository with one mirror."""
    sources: dict[str, SharedSource] = {}
    for each in pushed:
        if each.url not in sources:
            mirror = GitMirror(each.remote, state_folder() / "git")
            sources[each.url] = SharedSource(mirror)
    return [
        WatchedTarget(each.target, sources[each.url], each.github, each.host, each.builds)
        for each in pushed
    ]

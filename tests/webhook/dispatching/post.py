"""A repository, a ledger, Prefect and an inbox in memory, and a dispatcher between them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from slipway.domain.commit import Commit
from slipway.domain.delivery import Delivery, Outcome, Push
from slipway.domain.release import Kind, Request, State
from slipway.domain.target import Target
from slipway.webhook.dispatcher import Dispatcher
from slipway.webhook.watched import SharedSource, WatchedTarget
from tests.fakes.code_host import FakeCodeHost
from tests.fakes.faults import Faults
from tests.fakes.flow_runs import FakeFlowRuns
from tests.fakes.git import FakeGit
from tests.fakes.inbox import MemoryInbox
from tests.fakes.ledger import MemoryLedger
from tests.ledger.examples import a_target

ADAPTER, SINK = "adapter-prod", "sink-prod"


@dataclass
class Post:
    """What the dispatcher works with, and what tests do to it."""

    git: FakeGit = field(default_factory=lambda: FakeGit(Faults()))
    inbox: MemoryInbox = field(default_factory=MemoryInbox)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    runs: FakeFlowRuns = field(default_factory=FakeFlowRuns)
    targets: Sequence[str] = (ADAPTER,)
    host: FakeCodeHost = field(default_factory=FakeCodeHost)

    def __post_init__(self) -> None:
        self.first = self.commit("first", "adapter/main", "sink/main", "adapter/README.md")
        self.dispatcher = self.new_dispatcher()

    def new_dispatcher(self) -> Dispatcher:
        """Another process on the same inbox."""
        source = SharedSource(self.git)
        watched = [WatchedTarget(_target(name), source, host=self.host) for name in self.targets]
        return Dispatcher(watched, self.inbox, self.ledger, self.runs)

    def commit(self, subject: str, *paths: str, branch: str = "main") -> Commit:
        """A commit that changes these files."""
        return self.git.commit(subject, dict.fromkeys(paths, subject), branch)

    async def receive(self, after: Commit, before: Commit | None = None, *, name: str = "") -> None:
        """A push arrives."""
        parent = self.git.commits[after.sha].parent if after.sha in self.git.commits else None
        push = Push("main", before or (Commit(parent) if parent else None), after)
        id_ = name or f"delivery-{after.short}-{len(self.inbox.kept)}"
        await self.inbox.receive(
            [Delivery(id_, id_, "push", "acme/shop", "ada", push, tuple(self.targets))]
        )
        self.dispatcher.wake(self.targets)

    async def release(
        self, commit: Commit, state: State, *, run: str = "", target: str = ADAPTER
    ) -> None:
        """A release ends, or is left open."""
        request = Request(Kind.DEPLOY, commit.sha, "ada", automatic=True, prefect_run=run)
        opened = replace(await self.ledger.open(_target(target), request), commit=commit)
        if state is not State.RELEASING:
            opened = opened.to(state)
        await self.ledger.save(opened)

    def outcomes(self, target: str = ADAPTER) -> list[Outcome | None]:
        """Of each delivery, in the order received."""
        return [
            self.inbox.endings[number, target][0].outcome
            if (number, target) in self.inbox.endings
            else None
            for number in range(len(self.inbox.kept))
        ]

    def reason(self, number: int = -1, target: str = ADAPTER) -> str:
        """Why a delivery ended as it did, or what it waits for."""
        number %= len(self.inbox.kept)
        if (number, target) in self.inbox.endings:
            return self.inbox.endings[number, target][0].reason
        return self.inbox.waits_for.get((number, target), "")


@contextlib.asynccontextmanager
async def dispatching(post: Post, *watches: Coroutine[Any, Any, None]) -> AsyncIterator[Post]:
    """The dispatcher at work, and watches beside it."""
    working = [asyncio.create_task(each) for each in (*watches, post.dispatcher.run())]
    await asyncio.sleep(0.1)
    yield post
    for each in working:
        each.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await each


def _target(name: str) -> Target:
    target = a_target(name)
    folder = name.partition("-")[0]
    return replace(target, service=replace(target.service, name=folder, folder=folder))

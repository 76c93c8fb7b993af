"""An end of a workflow that GitHub did not deliver is found, and dealt with like every other."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace

import pytest

from slipway.domain.commit import Commit
from slipway.domain.delivery import WORKFLOW_RUN, Delivery, Outcome, Push
from slipway.errors import AccessDenied
from slipway.webhook.dispatcher import Dispatcher
from slipway.webhook.missed import LOOK_EVERY
from slipway.webhook.missed_builds import MissedBuilds
from slipway.webhook.watched import SharedSource, WatchedTarget
from tests.fakes.workflow_runs import FakeWorkflowRuns
from tests.webhook.dispatching.post import ADAPTER, Post, _target, dispatching

WORKFLOW = ".github/workflows/images.yml"


@dataclass
class Built:
    """A target whose image a workflow builds."""

    post: Post = field(default_factory=Post)
    builds: FakeWorkflowRuns = field(default_factory=FakeWorkflowRuns)

    def __post_init__(self) -> None:
        target = replace(_target(ADAPTER), workflow=WORKFLOW)
        source = SharedSource(self.post.git)
        self.watched = [WatchedTarget(target, source, "acme/shop", builds=self.builds)]
        self.post.dispatcher = Dispatcher(
            self.watched, self.post.inbox, self.post.ledger, self.post.runs
        )

    def build(self, subject: str) -> Commit:
        """A push, and the end of its workflow."""
        commit = self.post.commit(subject, "adapter/main")
        self.builds.end(WORKFLOW, "main", commit)
        return commit

    async def deliver(self, commit: Commit) -> None:
        """The end of the commit's workflow arrives."""
        name, push = f"run-{commit.short}", Push("main", None, commit)
        run = Delivery(name, name, WORKFLOW_RUN, "acme/shop", "ada", push, (ADAPTER,))
        await self.post.inbox.receive([run])
        self.post.dispatcher.wake([ADAPTER])


def watching(built: Built) -> AbstractAsyncContextManager[Post]:
    """Dispatcher and watch at work."""
    watch = MissedBuilds(built.watched, built.post.inbox, built.post.dispatcher.wake)
    return dispatching(built.post, watch.run())


async def test_an_end_that_was_not_delivered_is_deployed_once_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    built = Built()
    await built.deliver(built.build("second"))
    async with watching(built), watching(built):
        await asyncio.sleep(1)
        built.post.runs.end_all()
        missed = built.build("missed")
        await asyncio.sleep(20 * LOOK_EVERY)

    assert built.post.outcomes() == [Outcome.STARTED, Outcome.STARTED]
    assert built.post.runs.commits(ADAPTER)[-1] == missed.sha
    assert any("was not delivered" in each.message for each in caplog.records)


async def test_the_first_end_after_a_push_that_was_delivered_is_missed_too() -> None:
    built = Built()
    missed = built.build("second")
    await built.post.receive(missed)
    async with watching(built):
        await asyncio.sleep(3 * LOOK_EVERY)

    assert built.post.outcomes() == [Outcome.IGNORED, Outcome.STARTED]


async def test_what_was_built_before_anything_was_delivered_is_left_alone() -> None:
    built = Built()
    built.build("second")
    async with watching(built):
        await asyncio.sleep(5 * LOOK_EVERY)

    assert not built.post.inbox.kept


async def test_an_end_that_is_only_late_is_not_healed() -> None:
    built = Built()
    await built.deliver(built.build("second"))
    async with watching(built):
        await asyncio.sleep(LOOK_EVERY - 1)
        late = built.build("late")
        await asyncio.sleep(LOOK_EVERY / 2)
        await built.deliver(late)
        await asyncio.sleep(5 * LOOK_EVERY)

    assert len(built.post.inbox.kept) == 2


@pytest.mark.parametrize("delivered", [True, False])
async def test_the_end_of_a_commit_that_was_forced_away_is_not_healed(*, delivered: bool) -> None:
    built = Built()
    post = built.post
    await built.deliver(built.build("second"))
    async with watching(built):
        await asyncio.sleep(1)
        post.runs.end_all()
        gone = built.build("gone")
        await post.receive(gone)
        await asyncio.sleep(60)
        post.git.branches["main"] = post.first.sha
        instead = post.commit("instead", "adapter/main")
        built.builds.end(WORKFLOW, "main", instead, "failure")
        await post.receive(instead, before=gone)
        if delivered:
            await built.deliver(gone)
        await asyncio.sleep(20 * LOOK_EVERY)

    assert len(post.inbox.kept) == (4 if delivered else 3)
    assert gone.sha not in post.runs.commits(ADAPTER)


async def test_where_the_token_may_not_ask_it_is_said_and_nothing_else_happens(
    caplog: pytest.LogCaptureFixture,
) -> None:
    built = Built()
    await built.deliver(built.build("second"))
    built.build("missed")
    built.builds.faults.always("builds.newest_success", AccessDenied("give it actions=read"))
    async with watching(built):
        await asyncio.sleep(5 * LOOK_EVERY)

    assert len(built.post.inbox.kept) == 1
    assert any("give it actions=read" in each.message for each in caplog.records)

"""Where a workflow builds the image, its end is what deploys, and a push is not."""

import asyncio
from dataclasses import replace

from slipway.domain.commit import Commit
from slipway.domain.delivery import WORKFLOW_RUN, Delivery, Outcome, Push
from slipway.domain.release import State
from slipway.webhook.dispatcher import Dispatcher
from slipway.webhook.watched import SharedSource, WatchedTarget
from tests.webhook.dispatching.post import ADAPTER, Post, _target, dispatching

WORKFLOW = ".github/workflows/images.yml"


def post_with_workflow() -> Post:
    post = Post()
    target = replace(_target(ADAPTER), workflow=WORKFLOW)
    watched = [WatchedTarget(target, SharedSource(post.git), host=post.host)]
    post.dispatcher = Dispatcher(watched, post.inbox, post.ledger, post.runs)
    return post


async def built(post: Post, name: str) -> None:
    """The workflow of the branch's head has ended well."""
    push = Push("main", None, Commit(post.git.branches["main"]))
    run = Delivery(name, name, WORKFLOW_RUN, "acme/shop", "ada", push, (ADAPTER,))
    await post.inbox.receive([run])
    post.dispatcher.wake([ADAPTER])


async def test_the_end_of_the_workflow_deploys_and_the_push_does_not() -> None:
    post = post_with_workflow()
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"))
        await asyncio.sleep(60)
        assert not post.runs.made
        await built(post, "run-of-second")
        await asyncio.sleep(1)

    assert post.outcomes() == [Outcome.IGNORED, Outcome.STARTED]
    assert post.reason(0).startswith(f"not-the-trigger: workflow {WORKFLOW} builds the image")
    [(_, parameters)] = post.runs.made.values()
    assert parameters["commit"] == second.sha
    assert parameters["why"] == "workflow run of main (delivery run-of-second)"
    assert not post.host.statuses


async def test_a_push_never_supersedes_the_end_of_an_older_commits_workflow() -> None:
    """The newer commit's image is not there yet: what is there is deployed."""
    post = post_with_workflow()
    second = post.commit("second", "adapter/main")
    await built(post, "run-of-second")
    await post.receive(post.commit("third", "adapter/main"))
    async with dispatching(post):
        await asyncio.sleep(60)

    assert post.outcomes() == [Outcome.STARTED, Outcome.IGNORED]
    assert post.runs.commits(ADAPTER) == [second.sha]


async def test_the_end_of_a_workflow_that_changed_nothing_here_is_no_effective_change() -> None:
    post = post_with_workflow()
    await post.release(post.first, State.LIVE)
    post.commit("words", "adapter/README.md")
    async with dispatching(post):
        await built(post, "run-of-words")
        await asyncio.sleep(1)

    assert post.outcomes() == [Outcome.UNCHANGED]


async def test_where_slipway_builds_the_end_of_a_workflow_deploys_nothing() -> None:
    post = Post()
    async with dispatching(post):
        post.commit("second", "adapter/main")
        await built(post, "run-of-second")
        await asyncio.sleep(60)

    assert post.outcomes() == [Outcome.IGNORED]
    assert not post.runs.made

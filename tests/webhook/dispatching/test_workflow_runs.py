"""Where a workflow builds the image, its end is what deploys, and a push is not."""

import asyncio
from dataclasses import replace

import pytest

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


async def test_a_push_that_deletes_the_folder_alerts_and_shows_as_at_other_targets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    post = post_with_workflow()
    await post.release(post.first, State.LIVE)
    gone = post.git.commit("gone", {"adapter/main": "", "adapter/README.md": ""})
    async with dispatching(post):
        await post.receive(gone)
        await asyncio.sleep(60)

    assert post.outcomes() == [Outcome.REFUSED]
    assert post.reason().startswith("folder-absent: ")
    assert [each.levelname for each in caplog.records if "folder-absent" in each.message] == [
        "ERROR"
    ]
    status = post.host.shown(gone, ADAPTER)
    assert status is not None
    assert status.state == "failure"
    assert not post.runs.made


async def test_a_folder_that_the_newest_of_several_pushes_brings_back_alerts_nobody() -> None:
    post = post_with_workflow()
    gone = post.git.commit("gone", {"adapter/main": "", "adapter/README.md": ""})
    await post.receive(gone)
    await post.receive(post.commit("back", "adapter/main"))
    async with dispatching(post):
        await asyncio.sleep(60)

    assert post.outcomes() == [Outcome.IGNORED] * 2
    assert not post.host.statuses


async def test_a_push_that_git_shows_late_is_told_of_its_folder_and_keeps_no_workflow_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    post = post_with_workflow()
    second = post.commit("second", "adapter/main")
    async with dispatching(post):
        shown = post.git.fetch
        gone = post.git.commit("gone", {"adapter/main": "", "adapter/README.md": ""})

        async def late() -> None:
            post.git.branches["main"] = second.sha
            await shown()
            post.git.branches["main"] = gone.sha

        monkeypatch.setattr(post.git, "fetch", late)
        await post.receive(gone)
        push = Push("main", None, second)
        run = Delivery("run", "run", WORKFLOW_RUN, "acme/shop", "ada", push, (ADAPTER,))
        await post.inbox.receive([run])
        post.dispatcher.wake([ADAPTER])
        await asyncio.sleep(60)
        assert post.outcomes() == [None, Outcome.STARTED]
        monkeypatch.undo()
        await asyncio.sleep(120)

    assert post.outcomes() == [Outcome.REFUSED, Outcome.STARTED]


async def test_a_push_that_git_never_shows_is_ignored_in_the_end() -> None:
    post = post_with_workflow()
    async with dispatching(post):
        await post.receive(Commit("f" * 40), before=post.first)
        await asyncio.sleep(600)

    assert post.outcomes() == [Outcome.IGNORED]

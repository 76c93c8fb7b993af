"""A push that rewrote the branch waits for a person, and so does what is pushed on top of it."""

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


async def rewritten() -> tuple[Post, Commit, Commit]:
    """The first commit is live; another was pushed, and then given up for a third."""
    post = Post()
    await post.release(post.first, State.LIVE)
    given_up = post.commit("given up", "adapter/main")
    post.git.branches["main"] = post.first.sha
    return post, given_up, post.commit("instead", "adapter/main")


async def test_in_a_burst_a_push_that_rewrote_the_branch_makes_the_newest_wait() -> None:
    post, given_up, instead = await rewritten()
    await post.receive(instead, before=given_up)
    await post.receive(post.commit("on top", "adapter/main"))
    async with dispatching(post):
        await asyncio.sleep(60)

    assert post.outcomes() == [Outcome.SUPERSEDED, Outcome.HELD]
    assert post.reason().startswith("history-rewritten")
    assert {given_up.sha, instead.sha} <= set(post.reason().replace(",", "").split())
    assert not post.runs.made


@pytest.mark.parametrize("late", [True, False])
async def test_a_push_on_top_of_it_waits_too_whichever_is_received_first(*, late: bool) -> None:
    post, given_up, instead = await rewritten()
    on_top = post.commit("on top", "adapter/main")
    async with dispatching(post):
        for commit, before in [(instead, given_up), (on_top, instead)][:: -1 if late else 1]:
            await post.receive(commit, before=before)
            await asyncio.sleep(60)
            post.runs.end_all()
        later = post.commit("later", "adapter/main")
        await post.receive(later)
        await asyncio.sleep(60)

    assert later.sha not in post.runs.commits(ADAPTER)
    assert post.outcomes()[-1] is Outcome.HELD


@pytest.mark.parametrize("rolled_back", [True, False])
async def test_once_somebody_has_deployed_it_pushes_deploy_again(*, rolled_back: bool) -> None:
    post, given_up, instead = await rewritten()
    async with dispatching(post):
        await post.receive(instead, before=given_up)
        await asyncio.sleep(60)
        await post.release(instead, State.LIVE)
        if rolled_back:
            await post.release(post.first, State.LIVE)
        await post.receive(on_top := post.commit("on top", "adapter/main"))
        await asyncio.sleep(60)

    assert post.outcomes() == [Outcome.HELD, Outcome.STARTED]
    assert post.runs.commits(ADAPTER) == [on_top.sha]


async def test_a_branch_that_was_set_back_to_where_it_was_deploys_again() -> None:
    post, given_up, instead = await rewritten()
    post.git.branches["main"] = given_up.sha
    async with dispatching(post):
        await post.receive(instead, before=given_up)
        await post.release(given_up, State.LIVE)
        await post.receive(given_up, before=instead)
        await asyncio.sleep(60)
        await post.receive(post.commit("on top", "adapter/main"))
        await asyncio.sleep(60)

    assert post.outcomes()[-1] is Outcome.STARTED


async def test_what_changes_nothing_here_is_told_so_and_asks_for_nobody() -> None:
    post, given_up, instead = await rewritten()
    post.git.branches["main"] = post.first.sha
    instead = post.commit("words", "adapter/README.md")
    async with dispatching(post):
        await post.receive(instead, before=given_up)
        await asyncio.sleep(60)
        await post.receive(post.commit("more words", "adapter/README.md"))
        await asyncio.sleep(60)

    assert post.outcomes() == [Outcome.HELD, Outcome.UNCHANGED]


async def test_the_end_of_the_workflow_of_a_push_that_rewrote_the_branch_waits_too() -> None:
    post, given_up, instead = await rewritten()
    target = replace(_target(ADAPTER), workflow=WORKFLOW)
    watched = [WatchedTarget(target, SharedSource(post.git), host=post.host)]
    post.dispatcher = Dispatcher(watched, post.inbox, post.ledger, post.runs)
    async with dispatching(post):
        await post.receive(instead, before=given_up)
        built = Push("main", None, instead)
        run = Delivery("run", "run", WORKFLOW_RUN, "acme/shop", "ada", built, (ADAPTER,))
        await post.inbox.receive([run])
        post.dispatcher.wake([ADAPTER])
        await asyncio.sleep(60)

    assert post.outcomes() == [Outcome.IGNORED, Outcome.HELD]
    assert not post.runs.made


@pytest.mark.parametrize("deployed", [True, False])
async def test_a_push_back_in_a_burst_is_seen_although_the_mirror_knows_every_commit(
    *, deployed: bool
) -> None:
    post = Post()
    await post.release(post.first, State.LIVE)
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        third = post.commit("third", "adapter/main")
        await post.git.fetch()
        await post.receive(third)
        await asyncio.sleep(10)
        back = second if deployed else post.first
        post.git.branches["main"] = back.sha
        await post.receive(back, before=third, name="forced back")
        await asyncio.sleep(10)
        await post.release(second, State.LIVE, run="run-1")
        post.runs.end_all()
        await asyncio.sleep(3600)

    assert post.outcomes() == [Outcome.STARTED, Outcome.REFUSED, Outcome.HELD]
    assert third.sha not in post.runs.commits(ADAPTER)


async def test_a_rewrite_is_not_forgotten_for_the_pushes_that_follow_it() -> None:
    post, given_up, instead = await rewritten()
    async with dispatching(post):
        await post.receive(instead, before=given_up)
        for number in range(150):
            await post.receive(post.commit(f"words {number}", "sink/main"))
        await asyncio.sleep(60)
        await post.receive(post.commit("on top", "adapter/main"))
        await asyncio.sleep(60)

    assert post.outcomes()[-1] is Outcome.HELD

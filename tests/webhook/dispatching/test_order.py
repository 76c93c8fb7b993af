"""What was pushed last is what counts, in whatever order deliveries arrive and ends are told."""

import asyncio
from dataclasses import replace

import pytest

from slipway.domain.commit import Commit
from slipway.domain.delivery import WORKFLOW_RUN, Delivery, Outcome, Push
from slipway.domain.hold import NewVeto
from slipway.domain.release import State
from slipway.webhook.dispatcher import Dispatcher
from slipway.webhook.missed import MissedPushes
from slipway.webhook.undelivered import LOOK_EVERY, UndeliveredDeliveries
from slipway.webhook.watched import SharedSource, WatchedTarget
from tests.fakes.hook import FakeHook
from tests.webhook.dispatching.post import ADAPTER, Post, _target, dispatching

WORKFLOW = ".github/workflows/images.yml"


async def live() -> Post:
    post = Post()
    await post.release(post.first, State.LIVE)
    return post


def taken_back(post: Post) -> tuple[Commit, Commit]:
    """A commit, and the next one, which undoes it."""
    bad = post.commit("bad", "adapter/main")
    return bad, post.git.commit("revert", {"adapter/main": "first"})


async def one_after_the_other(post: Post, *commits: Commit) -> None:
    async with dispatching(post):
        for each in commits:
            await post.receive(each)
            await asyncio.sleep(60)


async def test_a_commit_that_was_taken_back_is_not_deployed_by_its_late_delivery() -> None:
    post = await live()
    bad, revert = taken_back(post)
    await one_after_the_other(post, revert, bad)

    assert post.outcomes() == [Outcome.UNCHANGED, Outcome.SUPERSEDED]
    assert revert.sha in post.reason()


async def test_nor_where_the_newer_one_deletes_the_folder() -> None:
    post = await live()
    older = post.commit("older", "adapter/main")
    gone = post.git.commit("gone", {"adapter/main": "", "adapter/README.md": ""})
    await one_after_the_other(post, gone, older)

    assert post.outcomes() == [Outcome.REFUSED, Outcome.SUPERSEDED]


async def test_nor_where_the_newer_one_is_vetoed() -> None:
    post = await live()
    older, newer = post.commit("older", "adapter/main"), post.commit("newer", "adapter/main")
    await post.ledger.place_veto(ADAPTER, NewVeto(newer, "it crashes", "ada"))
    await one_after_the_other(post, newer, older)

    assert post.outcomes() == [Outcome.REFUSED, Outcome.SUPERSEDED]


async def test_a_failed_delivery_that_is_sent_again_deploys_nothing_that_was_taken_back() -> None:
    post, commits, up = await live(), dict[str, Commit](), [False]

    async def deliver(name: str) -> int:
        if not up[0]:
            return 502
        await post.receive(commits[name], name=name)
        return 202

    hook = FakeHook(deliver)
    watch = UndeliveredDeliveries({"acme/shop": hook}, post.inbox)
    async with dispatching(post, watch.run()):
        await asyncio.sleep(10)
        commits["bad"], commits["revert"] = taken_back(post)
        await hook.send("bad")
        up[0] = True
        await hook.send("revert")
        await asyncio.sleep(2 * LOOK_EVERY)

    assert [each.delivery.id for each in post.inbox.kept] == ["revert", "bad"]
    assert not post.runs.made


async def test_workflows_that_end_in_another_order_deploy_nothing_that_was_taken_back() -> None:
    post = await live()
    target = replace(_target(ADAPTER), workflow=WORKFLOW)
    watched = [WatchedTarget(target, SharedSource(post.git))]
    post.dispatcher = Dispatcher(watched, post.inbox, post.ledger, post.runs)
    bad, revert = taken_back(post)
    async with dispatching(post):
        for commit in (bad, revert):
            await post.receive(commit)
        for commit in (revert, bad):
            push, name = Push("main", None, commit), f"run-{commit.short}"
            run = Delivery(name, name, WORKFLOW_RUN, "acme/shop", "ada", push, (ADAPTER,))
            await post.inbox.receive([run])
            post.dispatcher.wake([ADAPTER])
            await asyncio.sleep(60)

    assert post.outcomes()[2:] == [Outcome.UNCHANGED, Outcome.SUPERSEDED]
    assert not post.runs.made


async def test_what_git_never_showed_supersedes_nothing() -> None:
    """The mirror was behind for long: what was refused for that says nothing of the order."""
    post = await live()
    older, newer = post.commit("older", "adapter/main"), post.commit("newer", "adapter/main")
    post.git.branches["main"] = post.first.sha
    async with dispatching(post):
        await post.receive(newer)
        await asyncio.sleep(600)
        post.git.branches["main"] = newer.sha
        await post.receive(older)
        await asyncio.sleep(60)

    assert post.outcomes() == [Outcome.REFUSED, Outcome.STARTED]


async def test_a_revert_of_what_needs_attention_is_deployed() -> None:
    """What is live by the ledger may not be what runs."""
    post = await live()
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        await post.release(second, State.NEEDS_ATTENTION, run="run-1")
        post.runs.end_all()
        await asyncio.sleep(60)
        await post.receive(post.git.commit("revert", {"adapter/main": "first"}))
        await asyncio.sleep(60)

    assert post.outcomes() == [Outcome.STARTED, Outcome.STARTED]


async def test_a_commit_that_is_pushed_again_after_another_went_live_is_deployed_again() -> None:
    post = await live()
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        await post.release(second, State.LIVE, run="run-1")
        post.runs.end_all()
        await asyncio.sleep(60)
        post.git.branches["main"] = post.first.sha
        await post.receive(post.first, before=second)
        await asyncio.sleep(60)
        await post.release(post.first, State.LIVE)
        post.git.branches["main"] = second.sha
        await post.receive(second, before=post.first, name="again")
        await asyncio.sleep(60)

    assert post.outcomes() == [Outcome.STARTED, Outcome.HELD, Outcome.STARTED]
    assert post.runs.commits(ADAPTER) == [second.sha, second.sha]


@pytest.mark.parametrize("end", [State.LIVE, State.REFUSED])
async def test_a_late_delivery_of_what_was_deployed_starts_no_second_run(end: State) -> None:
    """It was missed, healed, and came all the same."""
    post = await live()
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"), name="missed")
        await asyncio.sleep(1)
        await post.release(second, end, run="run-1")
        post.runs.end_all()
        await asyncio.sleep(60)
        await post.receive(second, name="late")
        await asyncio.sleep(60)

    assert len(post.runs.made) == 1


async def test_each_late_commit_has_its_own_time_to_arrive() -> None:
    post = Post()
    async with dispatching(post):
        for number in range(8):
            before = post.git.branches["main"]
            late = post.commit(f"late {number}", "adapter/main")
            post.git.branches["main"] = before
            await post.receive(late)
            await asyncio.sleep(0.5)
            post.git.branches["main"] = late.sha
            await asyncio.sleep(60)
            post.runs.end_all()
            await asyncio.sleep(60)

    assert post.outcomes() == [Outcome.STARTED] * 8


async def test_a_newest_commit_that_git_shows_late_is_never_superseded_by_its_ancestor() -> None:
    """However many deliveries come meanwhile, each of which has the lane look again."""
    post = await live()
    await post.git.fetch()
    shown = dict(post.git.branches)
    older = [post.commit(f"older {number}", "adapter/main") for number in range(8)]
    newest = post.commit("newest", "adapter/main")
    now, post.git.branches = dict(post.git.branches), {**shown, "main": older[-1].sha}
    async with dispatching(post):
        await post.receive(newest)
        for each in older:
            await post.receive(each)
            await asyncio.sleep(0.1)
        post.runs.end_all()
        await asyncio.sleep(100)
        post.git.branches = now
        await asyncio.sleep(3600)

    assert post.outcomes()[0] is Outcome.STARTED
    assert post.runs.commits(ADAPTER)[-1] == newest.sha


async def test_a_head_that_git_showed_much_too_late_is_dealt_with_all_the_same() -> None:
    post = await live()
    source = SharedSource(post.git)
    watched = [WatchedTarget(_target(ADAPTER), source, "acme/shop")]
    post.dispatcher = Dispatcher(watched, post.inbox, post.ledger, post.runs)
    missed = MissedPushes(watched, post.inbox, post.dispatcher.wake)
    before = dict(post.git.branches)
    late = post.commit("late", "adapter/main")
    now, post.git.branches = dict(post.git.branches), before
    async with dispatching(post, missed.run()):
        await post.receive(late)
        await asyncio.sleep(1000)
        post.git.branches = now
        await asyncio.sleep(1000)

    assert post.outcomes() == [Outcome.REFUSED, Outcome.STARTED]
    assert post.runs.commits(ADAPTER) == [late.sha]

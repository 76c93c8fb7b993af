"""A push that GitHub did not deliver is found, and dealt with like every other."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from slipway.domain.commit import Commit
from slipway.domain.delivery import Delivery, Outcome, Push
from slipway.errors import Unreachable
from slipway.webhook.missed import BEHIND_FOR, LOOK_EVERY, MissedPushes
from slipway.webhook.watched import SharedSource, WatchedTarget
from tests.fakes.faults import Faults
from tests.fakes.git import FakeGit
from tests.ledger.examples import a_target
from tests.webhook.dispatching.post import ADAPTER, SINK, Post, dispatching


def watching(post: Post) -> AbstractAsyncContextManager[Post]:
    """Dispatcher and watch at work."""
    watched = [WatchedTarget(a_target(ADAPTER), SharedSource(post.git), "Acme/Shop")]
    return dispatching(post, MissedPushes(watched, post.inbox, post.dispatcher.wake).run())


async def test_a_push_that_was_not_delivered_is_deployed_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    post = Post()
    await post.receive(post.first)
    async with watching(post):
        await asyncio.sleep(1)
        post.runs.end_all()
        missed = post.commit("missed", "adapter/main")
        await asyncio.sleep(3 * LOOK_EVERY)

    assert post.outcomes() == [Outcome.STARTED, Outcome.STARTED]
    assert post.runs.commits(ADAPTER)[-1] == missed.sha
    assert post.inbox.kept[-1].delivery.event == "missed"
    assert any("was not delivered" in each.message for each in caplog.records)


async def test_a_delivery_that_is_only_late_is_not_healed() -> None:
    post = Post()
    await post.receive(post.first)
    async with watching(post):
        await asyncio.sleep(LOOK_EVERY - 1)
        late = post.commit("late", "adapter/main")
        await asyncio.sleep(LOOK_EVERY / 2)
        await post.receive(late)
        await asyncio.sleep(5 * LOOK_EVERY)

    assert [each.delivery.event for each in post.inbox.kept] == ["push", "push"]


async def test_before_the_first_push_nothing_is_deployed_by_itself() -> None:
    post = Post()
    async with watching(post):
        await asyncio.sleep(5 * LOOK_EVERY)

    assert not post.inbox.kept
    assert not post.runs.made


async def test_a_forced_push_that_was_not_delivered_waits_for_a_person() -> None:
    post = Post()
    replaced = post.commit("replaced", "adapter/main")
    await post.receive(replaced)
    async with watching(post):
        await asyncio.sleep(1)
        post.runs.end_all()
        post.git.branches["main"] = post.first.sha
        post.commit("instead", "adapter/main")
        await asyncio.sleep(3 * LOOK_EVERY)

    assert post.outcomes() == [Outcome.STARTED, Outcome.HELD]


async def test_a_push_back_to_a_commit_that_was_pushed_before_is_missed_all_the_same() -> None:
    post = Post()
    await post.receive(post.first)
    async with watching(post):
        await asyncio.sleep(1)
        await post.receive(post.commit("second", "adapter/main"))
        await asyncio.sleep(LOOK_EVERY)
        for _ in range(2):
            post.git.branches["main"] = post.first.sha
            await asyncio.sleep(5 * LOOK_EVERY)
            post.git.branches["main"] = post.commit("second", "adapter/main").sha
            await asyncio.sleep(5 * LOOK_EVERY)

    moves = [each.delivery.push for each in post.inbox.kept if each.delivery.push is not None]
    assert [each.after for each in moves][1:] == [moves[1].after, post.first] * 2 + [moves[1].after]
    assert [each.before for each in moves][2:] == [each.after for each in moves][1:-1]


async def test_pushes_that_were_received_in_any_order_leave_nothing_to_heal() -> None:
    post = Post()
    second = post.commit("second", "adapter/main")
    moves = [(post.first, None), (second, post.first), (post.first, second), (second, post.first)]
    for number, (after, before) in enumerate(reversed(moves)):
        await post.receive(after, before, name=f"delivery-{number}")
    async with watching(post):
        await asyncio.sleep(5 * LOOK_EVERY)

    assert {each.delivery.event for each in post.inbox.kept} == {"push"}


async def test_a_branch_whose_moves_do_not_add_up_is_healed_once() -> None:
    """What has come first was lost, or is so long ago that it is not asked for any more."""
    post = Post()
    second = post.commit("second", "adapter/main")
    await post.git.fetch()
    post.git.branches["main"] = post.first.sha
    await post.receive(second, post.first, name="away")
    await post.receive(post.first, second, name="and back")
    async with watching(post):
        await asyncio.sleep(20 * LOOK_EVERY)

    assert [each.delivery.event for each in post.inbox.kept] == ["push", "push", "missed"]


async def test_a_head_that_a_push_has_left_for_what_git_never_shows_is_dealt_with() -> None:
    """It was forced away before git had shown it, and the push that did it was not delivered."""
    post = Post()
    await post.receive(post.first)
    async with watching(post):
        await asyncio.sleep(1)
        post.runs.end_all()
        head = post.commit("second", "adapter/main")
        await post.receive(head)
        await post.receive(Commit("f" * 40), before=head)
        await asyncio.sleep(BEHIND_FOR - LOOK_EVERY)
        assert len(post.inbox.kept) == 3
        await asyncio.sleep(20 * LOOK_EVERY)

    assert [each.delivery.event for each in post.inbox.kept[3:]] == ["missed"]
    assert post.inbox.kept[-1].delivery.push == Push("main", None, head)
    assert None not in post.outcomes()


async def test_one_head_that_two_branches_missed_is_healed_at_both() -> None:
    post = Post(targets=(ADAPTER, SINK))
    post.git.branch("production", post.first)
    source, sink = SharedSource(post.git), replace(a_target(SINK), branch="production")
    watched = [
        WatchedTarget(a_target(ADAPTER), source, "acme/shop"),
        WatchedTarget(sink, source, "acme/shop"),
    ]
    for branch, target in [("main", ADAPTER), ("production", SINK)]:
        push = Push(branch, None, post.first)
        first = Delivery(branch, branch, "push", "acme/shop", "ada", push, (target,))
        await post.inbox.receive([first])
    async with dispatching(post, MissedPushes(watched, post.inbox, post.dispatcher.wake).run()):
        await asyncio.sleep(1)
        post.git.branches["production"] = post.commit("new", "adapter/main").sha
        await asyncio.sleep(3 * LOOK_EVERY)

    assert [each.delivery.targets for each in post.inbox.kept[2:]] == [(ADAPTER,), (SINK,)]


async def test_a_branch_that_can_not_be_looked_at_for_a_defect_keeps_no_other_waiting() -> None:
    class Broken(FakeGit):
        async def fetch(self) -> None:
            raise RuntimeError("a defect")

    post = Post()
    watched = [
        WatchedTarget(a_target(SINK), SharedSource(Broken(Faults())), "acme/broken"),
        WatchedTarget(a_target(ADAPTER), SharedSource(post.git), "acme/shop"),
    ]
    await post.receive(post.first)
    async with dispatching(post, MissedPushes(watched, post.inbox, post.dispatcher.wake).run()):
        await asyncio.sleep(1)
        post.commit("missed", "adapter/main")
        await asyncio.sleep(3 * LOOK_EVERY)

    assert post.inbox.kept[-1].delivery.event == "missed"


async def test_it_is_healed_once_however_often_it_is_looked_at_and_by_whom() -> None:
    post = Post()
    await post.receive(post.first)
    async with watching(post), watching(post):
        post.commit("missed", "adapter/main")
        await asyncio.sleep(20 * LOOK_EVERY)

    assert [each.delivery.event for each in post.inbox.kept] == ["push", "missed"]


async def test_a_repository_that_does_not_answer_is_looked_at_the_next_time() -> None:
    post = Post()
    await post.receive(post.first)
    async with watching(post):
        await asyncio.sleep(1)
        post.runs.end_all()
        post.commit("missed", "adapter/main")
        post.git.faults.always("source.fetch", Unreachable("git is away"))
        await asyncio.sleep(5 * LOOK_EVERY)
        assert len(post.inbox.kept) == 1
        post.git.faults.always("source.fetch", None)
        await asyncio.sleep(3 * LOOK_EVERY)

    assert post.outcomes() == [Outcome.STARTED, Outcome.STARTED]

"""A run that Prefect has made is never forgotten, whatever became of the answer."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from slipway.domain.commit import Commit
from slipway.domain.delivery import IntendedStart, Outcome
from slipway.domain.release import State
from slipway.ports import FlowRuns
from slipway.webhook import dispatcher
from slipway.webhook.dispatcher import Dispatcher
from tests.fakes.flow_runs import FakeFlowRuns
from tests.webhook.dispatching.post import ADAPTER, Post, dispatching

STARTED, SUPERSEDED = Outcome.STARTED, Outcome.SUPERSEDED
HOUR = 3600.0


async def live() -> Post:
    post = Post()
    await post.release(post.first, State.LIVE)
    return post


def revert(post: Post) -> Commit:
    return post.git.commit("revert", {"adapter/main": "first"})


async def at_work(post: Post) -> None:
    """A worker: each run that Prefect has made goes live, where it goes forward."""
    done: set[str] = set()
    while True:
        await asyncio.sleep(5)
        for key, (_, wanted) in list(post.runs.made.items()):
            run = post.runs.run_of(key)
            if not post.runs.down and run not in post.runs.ended | done:
                done.add(run)
                await post.release(Commit(str(wanted["commit"])), State.LIVE, run=run)
                post.runs.ended.add(run)


async def live_text(post: Post) -> str:
    """What is in the file that the newest live release was built from."""
    [newest, *_] = [each for each in await post.ledger.history(ADAPTER) if each.state is State.LIVE]
    assert newest.commit is not None
    return post.git.text_of(newest.commit, "adapter")


@dataclass
class Killed:
    """Prefect, as a process meets it that is killed right after it was asked for a run."""

    runs: FakeFlowRuns

    def __getattr__(self, name: str) -> object:
        return getattr(self.runs, name)

    async def start(self, deployment: str, parameters: Mapping[str, object], key: str) -> str:
        await self.runs.start(deployment, parameters, key)
        return await asyncio.Future()


async def test_a_revert_is_deployed_although_the_answer_about_the_bad_commit_was_lost() -> None:
    post = await live()
    async with dispatching(post, at_work(post)):
        post.runs.lost_answers = 1
        await post.receive(post.commit("bad", "adapter/main"))
        await asyncio.sleep(0.5)
        post.runs.down = True
        await asyncio.sleep(30)
        await post.receive(revert(post))
        await asyncio.sleep(HOUR)
        assert post.outcomes() == [None, None]
        post.runs.down = False
        await asyncio.sleep(HOUR)

    assert post.outcomes()[0] is STARTED
    assert None not in post.outcomes()
    assert await live_text(post) == post.git.text_of(Commit(post.git.branches["main"]), "adapter")


async def test_a_revert_is_deployed_although_the_process_was_killed_before_it_heard() -> None:
    post = await live()
    watched = [each.watched for each in post.dispatcher.lanes.values()]
    runs = cast("FlowRuns", Killed(post.runs))
    post.dispatcher = Dispatcher(watched, post.inbox, post.ledger, runs)
    async with dispatching(post):
        await post.receive(post.commit("bad", "adapter/main"))
        await asyncio.sleep(1)
    assert post.outcomes() == [None]

    await post.receive(revert(post))
    post.dispatcher = post.new_dispatcher()
    async with dispatching(post, at_work(post)):
        await asyncio.sleep(HOUR)

    assert post.outcomes()[0] is STARTED
    assert None not in post.outcomes()
    assert await live_text(post) == post.git.text_of(Commit(post.git.branches["main"]), "adapter")


async def test_a_burst_is_built_at_most_twice_although_an_answer_was_lost() -> None:
    post = Post()
    async with dispatching(post):
        post.runs.lost_answers = 1
        for number in range(5):
            await post.receive(post.commit(f"push {number}", "adapter/main"))
            await asyncio.sleep(0.1)
        await asyncio.sleep(60)
        post.runs.end_all()
        await asyncio.sleep(60)

    assert post.outcomes() == [STARTED, SUPERSEDED, SUPERSEDED, SUPERSEDED, STARTED]
    assert len(post.runs.made) == 2


async def test_the_next_attempt_of_a_lost_run_is_not_forgotten_beside_a_newer_push() -> None:
    post = await live()
    async with dispatching(post, at_work(post)):
        post.runs.crashed["run-1"] = "killed"
        post.runs.ended.add("run-1")
        bad = post.commit("bad", "adapter/main")
        await post.receive(bad)
        await asyncio.sleep(1)
        post.runs.lost_answers = 1
        await asyncio.sleep(dispatcher.LOOK_EVERY)
        assert post.runs.commits(ADAPTER) == [bad.sha, bad.sha]
        await post.receive(revert(post))
        await asyncio.sleep(HOUR)

    assert (await post.inbox.started(ADAPTER))[-1].run == "run-2"
    assert await live_text(post) == post.git.text_of(Commit(post.git.branches["main"]), "adapter")


async def test_a_start_is_made_sure_of_under_its_very_key_before_anything_newer_is_judged() -> None:
    post = await live()
    await post.receive(post.commit("bad", "adapter/main"))
    [bad] = await post.inbox.waiting(ADAPTER)
    assert await post.inbox.intend(IntendedStart(bad, "by another process"))
    await post.receive(revert(post))
    async with dispatching(post):
        await asyncio.sleep(1)

    assert list(post.runs.made) == ["by another process"]
    assert post.outcomes() == [STARTED, Outcome.UNCHANGED]
    assert post.runs.ended == {"run-1"}


async def test_a_run_that_was_in_doubt_and_has_begun_is_waited_for() -> None:
    post = await live()
    await post.receive(bad := post.commit("bad", "adapter/main"))
    [at_it] = await post.inbox.waiting(ADAPTER)
    assert await post.inbox.intend(IntendedStart(at_it, "by another process"))
    await post.runs.start(f"deploy/{ADAPTER}", {"commit": bad.sha}, "by another process")
    post.runs.take_all()
    await post.release(bad, State.RELEASING, run="run-1")
    await post.receive(revert(post))
    async with dispatching(post):
        await asyncio.sleep(60)
        assert post.outcomes() == [STARTED, None]
        post.runs.end_all()
        await asyncio.sleep(60)

    assert post.outcomes() == [STARTED, STARTED]


async def test_while_prefect_is_away_nothing_comes_to_be_in_doubt() -> None:
    post = await live()
    post.runs.down = True
    async with dispatching(post):
        await post.receive(post.commit("bad", "adapter/main"))
        await asyncio.sleep(HOUR)
        assert not await post.inbox.in_doubt(ADAPTER)
        await post.receive(revert(post))
        post.runs.down = False
        await asyncio.sleep(HOUR)

    assert post.outcomes() == [SUPERSEDED, Outcome.UNCHANGED]
    assert not post.runs.made

"""What waits for a target that has left `slipway.toml` comes to an end, and says why."""

import asyncio

from slipway.domain.delivery import Outcome
from slipway.webhook.pruning import Pruning
from slipway.webhook.unserved import ENDED_AFTER, LOOK_EVERY, Unserved
from tests.webhook.dispatching.post import ADAPTER, SINK, Post, dispatching

DAY = 24 * 3600.0


async def without_sink() -> Post:
    """A push for two targets, of which the next process serves one."""
    post = Post(targets=(ADAPTER, SINK))
    await post.receive(post.commit("second", "adapter/main", "sink/main"))
    post.targets = (ADAPTER,)
    post.dispatcher = post.new_dispatcher()
    return post


async def test_a_delivery_for_a_target_that_is_gone_says_so_and_ends_after_a_week() -> None:
    post = await without_sink()
    watch = Unserved(post.dispatcher.lanes, post.inbox)
    async with dispatching(post, watch.run()):
        await asyncio.sleep(3 * LOOK_EVERY)
        assert post.outcomes(SINK) == [None]
        assert f"{SINK} has no pushes" in post.reason(target=SINK)
        await asyncio.sleep(ENDED_AFTER)

    assert post.outcomes(SINK) == [Outcome.IGNORED]
    assert post.reason(target=SINK).startswith("target-gone: ")
    assert await post.inbox.count_waiting() == 0


async def test_it_is_forgotten_like_others_then() -> None:
    post = await without_sink()
    watch, pruning = Unserved(post.dispatcher.lanes, post.inbox), Pruning(post.inbox, 90)
    async with dispatching(post, watch.run(), pruning.run()):
        await post.receive(post.commit("third", "adapter/main"))
        await asyncio.sleep(91 * DAY)

    [kept] = await post.inbox.recent()
    assert kept.delivery.push is not None
    assert kept.delivery.push.after.sha == post.git.branches["main"]


async def test_what_another_process_serves_and_says_is_left_to_it() -> None:
    post = await without_sink()
    await post.inbox.put_off(await post.inbox.waiting(SINK), "Prefect did not answer")
    watch = Unserved(post.dispatcher.lanes, post.inbox)
    async with dispatching(post, watch.run()):
        await asyncio.sleep(6 * DAY)
        assert post.reason(target=SINK) == "Prefect did not answer"
        post.targets = (SINK,)
        post.dispatcher = post.new_dispatcher()
        async with dispatching(post):
            await asyncio.sleep(120)

    assert post.outcomes(SINK) == [Outcome.STARTED]

"""Old deliveries go, a few at a time; what has not ended stays."""

import asyncio
import contextlib

from slipway.errors import Unreachable
from slipway.webhook.pruning import AT_ONCE, DAY, LOOK_EVERY, Pruning
from tests.webhook.dispatching.post import Post, dispatching


async def test_what_ended_more_than_the_kept_days_ago_goes_within_the_hour() -> None:
    post = Post()
    async with dispatching(post):
        for number in range(AT_ONCE + 10):
            await post.receive(post.first, name=f"delivery-{number}")
        await asyncio.sleep(1)
        await asyncio.sleep(2 * DAY)
        await post.receive(post.first, name="lately")
        working = asyncio.create_task(Pruning(post.inbox, keep_days=1.5).run())
        await asyncio.sleep(0.5)
        some = len(await post.inbox.recent(1000))
        await asyncio.sleep(LOOK_EVERY)
        left = await post.inbox.recent(1000)
        working.cancel()

    assert some == 11
    assert [each.delivery.id for each in left] == ["lately"]


async def test_an_inbox_that_does_not_answer_is_tried_again() -> None:
    class Away:
        asked = 0

        async def forget(self, older_than: float, limit: int) -> int:
            del older_than, limit
            self.asked += 1
            raise Unreachable("the ledger is away: look at it")

    away = Away()
    working = asyncio.create_task(Pruning(away, 1.0).run())  # type: ignore[arg-type] # of an inbox only what is asked
    await asyncio.sleep(2.5 * LOOK_EVERY)
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working

    assert away.asked == 3

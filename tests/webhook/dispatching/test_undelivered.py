"""A delivery that failed is sent again by GitHub itself, is dealt with like others, and once."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import pytest

from slipway.domain.commit import Commit
from slipway.domain.delivery import Outcome
from slipway.errors import AccessDenied, Unreachable
from slipway.webhook.undelivered import LOOK_EVERY, UndeliveredDeliveries
from tests.fakes.hook import FakeHook
from tests.webhook.dispatching.post import Post, dispatching


@dataclass
class Deliveries:
    """Pushes that GitHub tells of by their delivery's id, while the webhook is up or down."""

    post: Post
    up: bool = True
    commits: dict[str, Commit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hook = FakeHook(self._deliver)

    async def push(self, name: str) -> None:
        self.commits[name] = self.post.commit(name, "adapter/main")
        await self.hook.send(name)

    async def _deliver(self, delivery: str) -> int:
        if not self.up:
            return 502
        await self.post.receive(self.commits[delivery], name=delivery)
        return 202


def looking(deliveries: Deliveries) -> AbstractAsyncContextManager[Post]:
    watch = UndeliveredDeliveries({"acme/shop": deliveries.hook}, deliveries.post.inbox)
    return dispatching(deliveries.post, watch.run())


async def test_a_push_that_could_not_be_delivered_is_deployed_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    deliveries = Deliveries(Post())
    deliveries.up = False
    await deliveries.push("lost")
    deliveries.up = True
    async with looking(deliveries):
        await asyncio.sleep(3 * LOOK_EVERY)

    assert deliveries.post.outcomes() == [Outcome.STARTED]
    assert len(deliveries.hook.made) == 2
    [told] = [each for each in caplog.records if each.name == "slipway.webhook.undelivered"]
    assert "lost (push of acme/shop" in told.getMessage()
    assert "failed with 502" in told.getMessage()


async def test_a_delivery_that_github_refuses_to_send_again_holds_up_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    deliveries = Deliveries(Post())
    deliveries.up = False
    for name in ("refused", "lost"):
        await deliveries.push(name)
    deliveries.up = True
    deliveries.hook.refused.add("refused")
    async with looking(deliveries):
        await asyncio.sleep(1.5 * LOOK_EVERY)

    assert [each.delivery.id for each in deliveries.post.inbox.kept] == ["lost"]
    assert "delivery refused" in caplog.text


async def test_what_was_kept_although_the_answer_was_lost_is_not_sent_again() -> None:
    deliveries = Deliveries(Post())
    commit = deliveries.post.commit("second", "adapter/main")
    await deliveries.post.receive(commit, name="kept")
    deliveries.up = False
    await deliveries.hook.send("kept")
    async with looking(deliveries):
        await asyncio.sleep(3 * LOOK_EVERY)

    assert len(deliveries.hook.made) == 1


async def test_a_webhook_that_stays_down_is_not_tried_for_ever() -> None:
    deliveries = Deliveries(Post(), up=False)
    await deliveries.push("lost")
    async with looking(deliveries):
        await asyncio.sleep(50 * LOOK_EVERY)

    assert len(deliveries.hook.made) == 4


@pytest.mark.parametrize("error", [Unreachable("wait"), AccessDenied("give it access")])
async def test_that_github_can_not_be_asked_is_a_warning_and_tried_the_next_time(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    deliveries = Deliveries(Post(), up=False)
    await deliveries.push("lost")
    deliveries.up = True
    deliveries.hook.faults.always("hook.attempts", error)
    async with looking(deliveries):
        await asyncio.sleep(2.5 * LOOK_EVERY)
        assert not deliveries.post.inbox.kept
        deliveries.hook.faults.always("hook.attempts", None)
        await asyncio.sleep(LOOK_EVERY)

    assert deliveries.post.outcomes() == [Outcome.STARTED]
    assert "is not asked for failed deliveries" in caplog.text

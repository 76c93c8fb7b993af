"""GitHub shows beside a commit why a push did not deploy it; what a run tells is never hidden."""

import asyncio
import logging

import pytest

from slipway.domain.commit import Commit
from slipway.domain.release import State
from slipway.errors import AccessDenied, SlipwayError, Unreachable
from tests.webhook.dispatching.post import ADAPTER, Post, dispatching


def shown(post: Post, commit: Commit) -> tuple[str, str] | None:
    """State and code of what a commit shows at the target."""
    status = post.host.shown(commit, ADAPTER)
    return (status.state, status.description.split(": ")[1]) if status else None


async def test_a_push_without_an_effective_change_is_a_success_that_says_so() -> None:
    post = Post()
    await post.release(post.first, State.LIVE)
    words = post.commit("words", "adapter/README.md")
    async with dispatching(post):
        await post.receive(words)
        await asyncio.sleep(1)

    assert shown(post, words) == ("success", "unchanged")


async def test_of_a_burst_the_superseded_are_told_and_the_started_is_left_to_its_run() -> None:
    post = Post()
    commits = [post.commit(f"push {number}", "adapter/main") for number in range(3)]
    for each in commits:
        await post.receive(each)
    async with dispatching(post):
        await asyncio.sleep(1)

    assert [shown(post, each) for each in commits] == [
        ("success", "superseded"),
        ("success", "superseded"),
        None,
    ]


async def test_another_delivery_of_a_commit_that_was_started_hides_nothing() -> None:
    post = Post()
    second = post.commit("second", "adapter/main")
    async with dispatching(post):
        await post.receive(second, name="one")
        await post.receive(second, name="two")
        await asyncio.sleep(1)
        await post.release(second, State.REFUSED, run="run-1")
        await post.receive(second, name="three")
        await asyncio.sleep(60)

    assert len([each for each in post.outcomes() if each]) == 3
    assert shown(post, second) is None


async def test_a_push_that_deletes_the_folder_is_a_failure() -> None:
    post = Post(targets=("sink-prod",))
    await post.release(post.first, State.LIVE, target="sink-prod")
    gone = post.git.commit("gone", {"sink/main": ""})
    async with dispatching(post):
        await post.receive(gone)
        await asyncio.sleep(1)

    status = post.host.shown(gone, "sink-prod")
    assert status is not None
    assert status.state == "failure"
    assert "folder-absent" in status.description


@pytest.mark.parametrize(
    ("error", "asked"), [(AccessDenied("no: give it access"), 1), (Unreachable("wait"), 8)]
)
async def test_that_github_can_not_be_told_changes_nothing(
    error: SlipwayError, asked: int, caplog: pytest.LogCaptureFixture
) -> None:
    post = Post()
    await post.release(post.first, State.LIVE)
    post.host.faults.always("write_back.status", error)
    async with dispatching(post):
        for name in ("one", "two"):
            await post.receive(post.commit(name, "adapter/README.md"))
            await asyncio.sleep(300)

    assert [str(each) for each in post.outcomes()] == ["no effective change"] * 2
    assert post.host.faults.effects.count("write_back.status") == asked
    told = [each for each in caplog.records if each.name == "slipway.webhook.telling"]
    assert {each.levelno for each in told if each.levelno > logging.DEBUG} == {logging.WARNING}

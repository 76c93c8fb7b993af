"""A push with real git reaches `slipway webhook` as GitHub would tell it."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sandbox import example, repository
from sandbox.box import Box
from sandbox.github.part import GitHub, Webhook
from sandbox.github.push import FULL_NAME, NOWHERE, payload
from sandbox.processes import Processes
from sandbox.repository import Repository
from slipway.domain.delivery import Push, ReceivedDelivery
from slipway.ledger.inbox import SqlInbox
from slipway.ledger.settings import LedgerSettings

GIT = ["git", "-c", "user.name=ada", "-c", "user.email=ada@example.invalid"]
TARGETS = ("annotations-sink-prod", "ls-triton-adapter-prod")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A repository; whatever a test starts beside it is ended."""
    made = Box(tmp_path / "sandbox")
    Repository().start(made)
    yield made
    for each in Processes(made).all():
        Processes(made).end(each)


@pytest.fixture
def clone(box: Box, tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository.path(box)), str(folder))
    return folder


@pytest.fixture
def listening(box: Box) -> Box:
    """The hook in its place, and the webhook running; Prefect is away."""
    GitHub().start(box)
    example.write_configuration(box)
    Webhook().start(box)
    return box


def git(folder: Path, *words: str) -> str:
    done = subprocess.run([*GIT, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip() + done.stderr


def commit(clone: Path, files: Mapping[str, str], message: str = "a commit") -> str:
    for name, text in files.items():
        (clone / name).write_text(text)
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", message)
    return git(clone, "rev-parse", "HEAD")


async def kept(box: Box) -> list[ReceivedDelivery]:
    inbox = SqlInbox(LedgerSettings.from_environment(example.places(box)))
    found = list(await inbox.recent())
    await inbox.close()
    return found


@pytest.mark.timeout(300)  # a process starts slowly where others are busy
async def test_a_push_is_told_and_kept_and_the_pusher_sees_the_answer(
    listening: Box, clone: Path
) -> None:
    before = git(clone, "rev-parse", "HEAD")
    after = commit(clone, {"sink/src/release": "third\n"})

    shown = git(clone, "push", "origin", "HEAD:main")

    assert "the webhook answered 202" in shown
    [delivery] = await kept(listening)
    push = delivery.delivery.push
    assert isinstance(push, Push)
    assert (push.branch, str(push.before), str(push.after)) == ("main", before, after)
    assert delivery.delivery.targets == TARGETS


def test_a_push_succeeds_although_no_webhook_listens(box: Box, clone: Path) -> None:
    GitHub().start(box)
    after = commit(clone, {"sink/src/release": "third\n"})

    shown = git(clone, "push", "origin", "HEAD:main")

    assert "the webhook did not answer" in shown
    assert git(repository.path(box), "rev-parse", "main") == after


def test_the_payload_tells_of_each_commit_what_it_changed(box: Box, clone: Path) -> None:
    before = git(clone, "rev-parse", "HEAD")
    one = commit(clone, {"sink/src/release": "third\n", "new": "1"}, "first line\n\nand more")
    (clone / "new").unlink()
    two = commit(clone, {})
    git(clone, "push", "--quiet", "origin", "HEAD:main")

    told = payload(repository.path(box), before, two, "refs/heads/main")

    assert [each["id"] for each in told["commits"]] == [one, two]
    assert told["commits"][0]["message"] == "first line\n\nand more"
    assert told["commits"][0]["added"] == ["new"]
    assert told["commits"][0]["modified"] == ["sink/src/release"]
    assert told["commits"][1]["removed"] == ["new"]
    assert told["head_commit"] == told["commits"][1]
    assert (told["created"], told["deleted"], told["forced"]) == (False, False, False)
    assert told["repository"]["full_name"] == FULL_NAME


def test_a_branch_that_is_made_deleted_or_forced_is_told_as_such(box: Box, clone: Path) -> None:
    head = git(clone, "rev-parse", "HEAD")
    older = git(clone, "rev-parse", "HEAD~1")
    bare = repository.path(box)

    made = payload(bare, NOWHERE, head, "refs/heads/new")
    deleted = payload(bare, head, NOWHERE, "refs/heads/new")
    forced = payload(bare, head, older, "refs/heads/main")

    assert (made["created"], made["head_commit"]["id"]) == (True, head)
    assert (deleted["deleted"], deleted["commits"]) == (True, [])
    assert forced["forced"]

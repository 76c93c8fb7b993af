"""GitHub's own example payloads are understood, every one.

They come from npm when the tests run, pinned by hash (`octokit/package-lock.json`), and are not
copied here: they are 10 MB of somebody else's text, and a copy would only grow old.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.webhook.payload import PushPayload, WorkflowRunPayload, read
from slipway.webhook.routing import Arrived, Subscription, Subscriptions, route
from tests.fakes.inbox import MemoryInbox
from tests.webhook.requests import deliver, receiver

PACKAGE = Path(__file__).parent / "octokit"

pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="npm brings the payloads")


@pytest.fixture(scope="module")
def octokit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the packages are."""
    folder = tmp_path_factory.mktemp("octokit")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGE / name, folder)
    words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm can't bring the payloads: {done.stderr[-300:]}")
    return folder / "node_modules" / "@octokit"


@pytest.fixture(scope="module")
def examples(octokit: Path) -> list[tuple[str, dict[str, Any]]]:
    """Every example, with its event."""
    index = json.loads((octokit / "webhooks-examples/api.github.com/index.json").read_text())
    return [(event["name"], example) for event in index for example in event["examples"]]


def runs(examples: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [example for event, example in examples if event == "workflow_run"]


def pushes(examples: list[tuple[str, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    return (example for event, example in examples if event == "push")


def test_github_promises_every_field_that_is_read(octokit: Path) -> None:
    schema = json.loads((octokit / "webhooks-schemas/schema.json").read_text())["definitions"]

    assert {"ref", "before", "after", "repository", "sender"} <= set(
        schema["push$event"]["required"]
    )
    assert "full_name" in schema["repository"]["required"]
    assert "login" in schema["user"]["required"]
    run = schema["workflow-run"]["required"]
    assert {"event", "head_sha", "conclusion", "head_branch", "head_repository", "path"} <= set(run)
    assert {"action", "workflow_run", "repository"} <= set(
        schema["workflow_run$completed"]["required"]
    )


def test_what_is_read_of_a_push_is_what_it_says(
    examples: list[tuple[str, dict[str, Any]]],
) -> None:
    assert list(pushes(examples))
    for each in pushes(examples):
        payload = read("push", json.dumps(each).encode())

        assert isinstance(payload, PushPayload)
        assert (payload.ref, payload.before, payload.after) == (
            each["ref"],
            each["before"],
            each["after"],
        )
        assert payload.is_deletion == each["deleted"]
        assert (payload.commit_before is None) == each["created"]
        assert payload.repository_name == each["repository"]["full_name"]
        assert payload.sender_name == each["sender"]["login"]


def test_what_is_read_of_a_workflow_run_is_what_it_says(
    examples: list[tuple[str, dict[str, Any]]],
) -> None:
    assert runs(examples)
    for each in runs(examples):
        payload = read("workflow_run", json.dumps(each).encode())

        assert isinstance(payload, WorkflowRunPayload)
        told = each["workflow_run"]
        assert payload.action == each["action"]
        assert payload.workflow == told.get("path", "")
        assert (payload.workflow_run.conclusion, payload.workflow_run.head_sha) == (
            told["conclusion"],
            told["head_sha"],
        )
        theirs = told["head_repository"]["full_name"]
        assert payload.is_of_a_fork == (theirs != each["repository"]["full_name"])


def test_a_real_run_that_followed_a_push_is_for_the_targets_that_wait_for_its_workflow(
    examples: list[tuple[str, dict[str, Any]]],
) -> None:
    """None of the examples followed a push: this one is told as if it had."""
    real = next(each for each in runs(examples) if each["workflow_run"].get("path"))
    real["workflow_run"]["event"] = "push"
    payload = read("workflow_run", json.dumps(real).encode())
    waits = Subscription("web-prod", "octo-org/octo-repo", "master", ".github/workflows/test.yml")
    builds = Subscription("web-next", "octo-org/octo-repo", "master")

    delivery = route(
        Arrived("delivery-1", "d" * 64, "workflow_run", payload), Subscriptions([waits, builds])
    )

    assert (delivery.targets, delivery.ignored) == (("web-prod",), "")
    assert delivery.push is not None
    assert delivery.push.after.sha == real["workflow_run"]["head_sha"]


async def test_every_event_of_githubs_is_answered_and_kept(
    examples: list[tuple[str, dict[str, Any]]],
) -> None:
    inbox = MemoryInbox()
    app = receiver(inbox)

    answers = [
        await deliver(app, example, event=event, delivery=f"delivery-{number}")
        for number, (event, example) in enumerate(examples)
    ]

    assert len(answers) > 300
    assert [answer for status, answer in answers if status != 200] == []
    assert all(answer["reason"] for _, answer in answers)

"""The end of a workflow is a trigger only where it built the repository's own push, and well."""

from typing import Any

import pytest

from slipway.domain.commit import Commit
from slipway.domain.delivery import Push
from tests.fakes.inbox import MemoryInbox
from tests.webhook.requests import AFTER, WORKFLOW, deliver, push, receiver, workflow_run


async def delivered(payload: dict[str, Any]) -> tuple[int, dict[str, Any], MemoryInbox]:
    inbox = MemoryInbox()
    status, answer = await deliver(receiver(inbox), payload, event="workflow_run")
    return status, answer, inbox


@pytest.mark.parametrize("path", [WORKFLOW, f"{WORKFLOW}@refs/heads/built"])
async def test_a_good_end_waits_at_the_targets_of_its_workflow(path: str) -> None:
    status, answer, inbox = await delivered(workflow_run(path=path))

    assert (status, answer["outcome"]) == (202, "accepted")
    [kept] = inbox.kept
    assert kept.delivery.targets == ("web-built",)
    assert kept.delivery.push == Push("built", None, Commit(AFTER))


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (workflow_run("requested", conclusion=None), "only its end counts"),
        (workflow_run("in_progress", conclusion=None), "only its end counts"),
        (workflow_run(conclusion="failure"), "ended failure"),
        (workflow_run(conclusion="cancelled"), "ended cancelled"),
        (workflow_run(conclusion=None), "ended None"),
        (workflow_run(event="pull_request"), "for pull_request"),
        (workflow_run(event="workflow_dispatch"), "for workflow_dispatch"),
        (workflow_run(head_repository={"full_name": "mallory/shop"}), "the repository's own"),
        (workflow_run(head_repository=None), "the repository's own"),
        (workflow_run(head_branch=None), "the repository's own"),
        (workflow_run(head_branch="main"), "no target of branch main"),
        (workflow_run(path=".github/workflows/lint.yml"), "waits for the workflow"),
        (workflow_run(path=""), "waits for the workflow without a path"),
        (workflow_run(path=None), "waits for the workflow without a path"),
    ],
)
async def test_every_other_run_is_kept_and_ignored_with_its_reason(
    payload: dict[str, Any], why: str
) -> None:
    status, answer, inbox = await delivered(payload)

    assert (status, answer["outcome"]) == (200, "ignored")
    assert why in answer["reason"]
    assert not await inbox.waiting()


@pytest.mark.parametrize(
    "changed",
    [{"head_sha": "main"}, {"head_sha": AFTER[:7]}, {"event": "push\n"}, {"path": "a\x00b"}],
)
async def test_what_is_no_workflow_run_is_refused(changed: dict[str, Any]) -> None:
    status, answer, inbox = await delivered(workflow_run(**changed))

    assert status == 400
    assert "not a workflow_run payload" in answer["error"]
    assert not inbox.kept


async def test_a_push_waits_at_a_target_of_a_workflow_too_for_the_dispatcher_to_say_why() -> None:
    inbox = MemoryInbox()

    status, _ = await deliver(receiver(inbox), push(ref="refs/heads/built"))

    assert status == 202
    assert [each.event for each in await inbox.waiting("web-built")] == ["push"]

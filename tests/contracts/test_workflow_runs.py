"""What every WorkflowRuns promises: the one in memory, and GitHub's API as it is stood in."""

from pathlib import Path
from typing import Protocol

import httpx
import pytest
from pydantic import SecretStr

from sandbox.box import Box
from sandbox.github.api import Api
from sandbox.github.deliveries import Hook
from sandbox.github.packages import Packages, RegistryShelf
from sandbox.github.shown import Shown
from slipway.clients.github_actions import GitHubActions
from slipway.clients.github_session import GitHubSession, github_repository
from slipway.domain.commit import Commit
from slipway.ports import WorkflowRuns
from tests.fakes.workflow_runs import FakeWorkflowRuns

NOWHERE = "http://127.0.0.1:1"
IMAGES, LINT = ".github/workflows/images.yml", ".github/workflows/lint.yml"
OLDER, NEWER = Commit("1" * 40), Commit("2" * 40)


class Actions(Protocol):
    """Workflows, and who is asked about them."""

    runs: WorkflowRuns

    def end(self, workflow: str, branch: str, commit: Commit, conclusion: str = "success") -> None:
        """A run for a push has ended."""


class InMemory:
    def __init__(self) -> None:
        self.runs: WorkflowRuns = FakeWorkflowRuns()
        self.fake = self.runs

    def end(self, workflow: str, branch: str, commit: Commit, conclusion: str = "success") -> None:
        self.fake.end(workflow, branch, commit, conclusion)


class AtGitHub:
    def __init__(self, folder: Path) -> None:
        hook = Hook(NOWHERE, "secret", folder / "deliveries.jsonl")
        packages = Packages("acme", RegistryShelf(Box(folder)))
        shown = Shown(f"{NOWHERE}/repos/acme/shop", lambda _: True)
        self.api = Api("acme/shop", "canary-token", shown, hook, packages)
        repository = github_repository("acme/shop", SecretStr("canary-token"), NOWHERE)
        transport = httpx.ASGITransport(self.api.app())
        self.runs: WorkflowRuns = GitHubActions(GitHubSession(repository, transport))

    def end(self, workflow: str, branch: str, commit: Commit, conclusion: str = "success") -> None:
        self.api.workflows.end(workflow, branch, commit.sha, conclusion)


@pytest.fixture(params=["memory", "github"])
def actions(request: pytest.FixtureRequest, tmp_path: Path) -> Actions:
    return InMemory() if request.param == "memory" else AtGitHub(tmp_path)


async def test_the_newest_good_end_is_told(actions: Actions) -> None:
    actions.end(IMAGES, "main", OLDER)
    actions.end(IMAGES, "main", NEWER)

    assert await actions.runs.newest_success(IMAGES, "main") == NEWER


async def test_ends_that_were_not_good_are_passed_over(actions: Actions) -> None:
    actions.end(IMAGES, "main", OLDER)
    for conclusion in ("failure", "cancelled", "skipped"):
        actions.end(IMAGES, "main", NEWER, conclusion)

    assert await actions.runs.newest_success(IMAGES, "main") == OLDER


async def test_other_workflows_and_branches_are_others(actions: Actions) -> None:
    actions.end(LINT, "main", NEWER)
    actions.end(IMAGES, "next", NEWER)

    assert await actions.runs.newest_success(IMAGES, "main") is None

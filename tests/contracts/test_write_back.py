"""What every WriteBack promises: the one in memory, and GitHub's API as it is stood in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from slipway.clients.github import GitHubApi
from slipway.clients.github_session import GitHubSession, github_repository
from slipway.domain.commit import Commit
from slipway.domain.release import Release
from slipway.domain.write_back import (
    CommitState,
    CommitStatus,
    DeploymentState,
    DeploymentStatus,
)
from slipway.errors import InvalidInput
from slipway.ports import WriteBack
from tests.fakes.code_host import FakeCodeHost
from tests.ledger.examples import COMMIT, a_release

ADDRESS = "http://127.0.0.1:1/repos/acme/shop"
UNKNOWN = Commit("f" * 40)
IN_PROGRESS, SUCCESS = DeploymentState.IN_PROGRESS, DeploymentState.SUCCESS
GONE = DeploymentStatus(DeploymentState.INACTIVE, "another is live")


class CodeHost(Protocol):
    """A code host, and what people see there."""

    write_back: WriteBack

    def statuses(self, commit: Commit) -> Mapping[str, str]:
        """Context → newest state."""

    def progress(self, target: str) -> Sequence[str]:
        """Of each deployment, oldest first, its newest state."""

    def by_somebody(self, target: str) -> None:
        """Another tool's deployment, which is live."""


class InMemory:
    def __init__(self) -> None:
        self.write_back: WriteBack = FakeCodeHost()
        self.fake = self.write_back
        self.others: list[str] = []

    def statuses(self, commit: Commit) -> Mapping[str, str]:
        return {each.context: each.state for at, each in self.fake.statuses if at == commit}

    def progress(self, target: str) -> Sequence[str]:
        return ["success"] * self.others.count(target) + self.fake.progress(target)

    def by_somebody(self, target: str) -> None:
        self.others.append(target)


class AtGitHub:
    def __init__(self, folder: Path) -> None:
        self.shown = Shown(ADDRESS, lambda commit: commit != UNKNOWN.sha)
        hook = Hook("http://127.0.0.1:1/github", "secret", folder / "deliveries.jsonl")
        packages = Packages("acme", RegistryShelf(Box(folder)))
        app = Api("acme/shop", "canary-token", self.shown, hook, packages).app()
        repository = github_repository("acme/shop", SecretStr("canary-token"), "http://127.0.0.1:1")
        self.write_back: WriteBack = GitHubApi(GitHubSession(repository, httpx.ASGITransport(app)))

    def statuses(self, commit: Commit) -> Mapping[str, str]:
        newest_last = reversed(self.shown.statuses.get(commit.sha, []))
        return {each["context"]: each["state"] for each in newest_last}

    def progress(self, target: str) -> Sequence[str]:
        oldest_first = reversed(self.shown.deployments_of(target))
        return [self.shown.progress[each["id"]][0]["state"] for each in oldest_first]

    def by_somebody(self, target: str) -> None:
        made = self.shown.add_deployment({"ref": COMMIT.sha, "environment": target})
        self.shown.add_progress(made["id"], {"state": "success"})


@pytest.fixture(params=["memory", "github"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> CodeHost:
    return InMemory() if request.param == "memory" else AtGitHub(tmp_path)


def release(number: int, target: str = "web-prod") -> Release:
    return a_release(f"release-{number}", target)


async def test_a_commit_shows_the_newest_status_of_each_target(host: CodeHost) -> None:
    for target, state in (
        ("web-prod", CommitState.PENDING),
        ("shop-prod", CommitState.FAILURE),
        ("web-prod", CommitState.SUCCESS),
    ):
        status = CommitStatus(target, state, "as it is", "https://prefect.example/runs/1")
        await host.write_back.set_status(COMMIT, status)

    assert host.statuses(COMMIT) == {"slipway/web-prod": "success", "slipway/shop-prod": "failure"}


async def test_a_release_has_one_deployment_however_often_it_is_asked_for(host: CodeHost) -> None:
    first = await host.write_back.open_deployment(release(1))
    second = await host.write_back.open_deployment(release(2))

    assert await host.write_back.open_deployment(release(1)) == first
    assert second != first


async def test_only_the_deployment_that_was_live_before_is_retired(host: CodeHost) -> None:
    host.by_somebody("web-prod")
    numbers = [await host.write_back.open_deployment(release(each)) for each in range(3)]
    elsewhere = await host.write_back.open_deployment(release(9, "shop-prod"))
    states = (SUCCESS, DeploymentState.FAILURE, SUCCESS)
    for number, state in zip((*numbers, elsewhere), (*states, SUCCESS), strict=True):
        await host.write_back.set_progress(number, DeploymentStatus(state, "so it is"))

    for _ in range(2):
        await host.write_back.retire_others("web-prod", numbers[2], GONE)

    assert host.progress("web-prod") == ["success", "inactive", "failure", "success"]
    assert host.progress("shop-prod") == ["success"]


async def test_how_far_a_deployment_is_is_what_was_said_last(host: CodeHost) -> None:
    number = await host.write_back.open_deployment(release(1))
    for state in (DeploymentState.QUEUED, IN_PROGRESS, DeploymentState.ERROR):
        await host.write_back.set_progress(number, DeploymentStatus(state, "so it is"))

    assert host.progress("web-prod") == ["error"]


async def test_what_github_does_not_know_is_refused_with_its_own_words(tmp_path: Path) -> None:
    host = AtGitHub(tmp_path)

    with pytest.raises(InvalidInput, match="No commit found for SHA"):
        await host.write_back.set_status(UNKNOWN, CommitStatus("web", CommitState.SUCCESS, "good"))
    with pytest.raises(InvalidInput, match="No ref found"):
        await host.write_back.open_deployment(replace(release(1), commit=UNKNOWN))

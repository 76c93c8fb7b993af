"""GitHub: what it is told of a commit, what it has done, and what it is asked to send again."""

from collections.abc import Sequence
from typing import Protocol

from slipway.domain.commit import Commit
from slipway.domain.release import Release
from slipway.domain.undelivered import Attempt
from slipway.domain.write_back import CommitStatus, DeploymentStatus


class HookDeliveries(Protocol):
    """What GitHub has sent to one of its webhooks, and what became of it there."""

    async def attempts(self) -> Sequence[Attempt]:
        """The attempts of the last days, newest first."""

    async def redeliver(self, attempt: Attempt) -> None:
        """Have the same sent once more, under the same id."""


class WorkflowRuns(Protocol):
    """What GitHub knows of the runs of a repository's workflows."""

    async def newest_success(self, workflow: str, branch: str) -> Commit | None:
        """The commit of the newest push to the branch that the workflow has ended well for.

        `workflow` is its path in the repository; None where there is no such run.
        """


class CommitStatuses(Protocol):
    """What the code host shows beside a commit."""

    async def set_status(self, commit: Commit, status: CommitStatus) -> None:
        """Show what the commit is at a target, instead of what was shown before."""


class Deployments(Protocol):
    """The code host's timeline of what was deployed where; an environment is a target."""

    async def open_deployment(self, release: Release) -> int:
        """The deployment of a release whose commit is known; made where there is none yet."""

    async def set_progress(self, deployment: int, status: DeploymentStatus) -> None:
        """Say how far a deployment is."""

    async def retire_others(self, target: str, live: int, status: DeploymentStatus) -> None:
        """Say of Slipway's deployment that was live at the target before that it is not any more.

        Deployments of others are left alone.
        """


class WriteBack(CommitStatuses, Deployments, Protocol):
    """Where the commits come from, told of what became of them.

    `AccessDenied` where the token may not, `InvalidInput` where the code host does not know what it
    is told of, `Unreachable` where it does not answer in time.
    """

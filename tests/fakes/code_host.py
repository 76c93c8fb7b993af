"""GitHub's commit statuses and deployments in memory."""

from dataclasses import dataclass, field

from slipway.domain.commit import Commit
from slipway.domain.release import Release
from slipway.domain.write_back import CommitStatus, DeploymentState, DeploymentStatus
from slipway.errors import InvalidInput
from tests.fakes.faults import Faults


@dataclass
class FakeDeployment:
    """One deployment, and what was said of it, oldest first."""

    release: str
    commit: Commit
    target: str
    said: list[DeploymentStatus] = field(default_factory=list)


@dataclass
class FakeCodeHost:
    """The `WriteBack` port on dictionaries."""

    faults: Faults = field(default_factory=Faults)
    statuses: list[tuple[Commit, CommitStatus]] = field(default_factory=list)
    """Every status, oldest first."""
    deployments: list[FakeDeployment] = field(default_factory=list)
    """By their number, oldest first."""

    async def set_status(self, commit: Commit, status: CommitStatus) -> None:
        await self.faults.at("before", "write_back.status")
        self.statuses.append((commit, status))
        await self.faults.at("after", "write_back.status")

    async def open_deployment(self, release: Release) -> int:
        await self.faults.at("before", "write_back.deployment")
        for number, each in enumerate(self.deployments):
            if each.release == release.id:
                return number
        if release.commit is None:
            raise InvalidInput("no commit: resolve it first")
        self.deployments.append(FakeDeployment(release.id, release.commit, release.target))
        await self.faults.at("after", "write_back.deployment")
        return len(self.deployments) - 1

    async def set_progress(self, deployment: int, status: DeploymentStatus) -> None:
        await self.faults.at("before", "write_back.progress")
        self.deployments[deployment].said.append(status)

    async def retire_others(self, target: str, live: int, status: DeploymentStatus) -> None:
        for number, each in reversed(list(enumerate(self.deployments))):
            if each.target != target or number == live or not each.said:
                continue
            if each.said[-1].state is DeploymentState.SUCCESS:
                each.said.append(status)
            if each.said[-1].state is DeploymentState.INACTIVE:
                return

    def shown(self, commit: Commit, target: str) -> CommitStatus | None:
        """What a commit is at a target now."""
        found = [each for at, each in self.statuses if (at, each.target) == (commit, target)]
        return found[-1] if found else None

    def progress(self, target: str) -> list[str]:
        """Of each deployment at the target, oldest first, where it stands now."""
        return [each.said[-1].state for each in self.deployments if each.target == target]

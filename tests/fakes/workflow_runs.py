"""Runs of workflows at GitHub, in memory."""

from dataclasses import dataclass, field

from slipway.domain.commit import Commit
from tests.fakes.faults import Faults


@dataclass
class FakeWorkflowRuns:
    """The `WorkflowRuns` port on a list."""

    faults: Faults = field(default_factory=Faults)
    ended: list[tuple[str, str, Commit, str]] = field(default_factory=list)
    """Workflow, branch, commit and conclusion of those for pushes, newest first."""

    async def newest_success(self, workflow: str, branch: str) -> Commit | None:
        await self.faults.at("before", "builds.newest_success")
        return next(
            (
                commit
                for path, its_branch, commit, conclusion in self.ended
                if (path, its_branch, conclusion) == (workflow, branch, "success")
            ),
            None,
        )

    def end(self, workflow: str, branch: str, commit: Commit, conclusion: str = "success") -> None:
        """A run for a push ends."""
        self.ended.insert(0, (workflow, branch, commit, conclusion))

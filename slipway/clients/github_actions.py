"""GitHub Actions: which pushes a workflow has ended well for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from slipway.clients.github_session import GitHubSession, object_in
from slipway.domain.commit import Commit
from slipway.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class GitHubActions:
    """The `WorkflowRuns` port on one repository.

    https://docs.github.com/rest/actions/workflow-runs: a workflow is named by its file; runs are
    listed newest first. The token needs to read *Actions*.
    """

    session: GitHubSession

    async def newest_success(self, workflow: str, branch: str) -> Commit | None:
        """See `slipway.ports.WorkflowRuns`."""
        file = quote(workflow.rpartition("/")[2], safe="")
        query = httpx.QueryParams(branch=branch, event="push", status="success", per_page=1)
        answer = await self.session.send("GET", f"actions/workflows/{file}/runs?{query}")
        return _commit_of(object_in(answer))


def _commit_of(listed: Mapping[str, Any]) -> Commit | None:
    match listed.get("workflow_runs"):
        case [{"head_sha": str(sha), "conclusion": "success"}, *_]:
            try:
                return Commit(sha)
            except InvalidInput:
                return None
        case _:
            return None

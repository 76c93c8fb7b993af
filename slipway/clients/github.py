"""GitHub's REST API: commit statuses and deployments, for those who look there."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from slipway.clients.github_session import GitHubSession, items_in, object_in
from slipway.domain.commit import Commit
from slipway.domain.release import Release
from slipway.domain.write_back import CommitStatus, DeploymentState, DeploymentStatus, short
from slipway.errors import Unreachable

LATEST = 30
"""Deployments of an environment among which ours are looked for."""
MARK = "slipway_release"
"""What a deployment's payload names its release by."""


@dataclass(frozen=True, slots=True)
class GitHubApi:
    """The `WriteBack` port on one repository."""

    session: GitHubSession

    async def set_status(self, commit: Commit, status: CommitStatus) -> None:
        """See `slipway.ports.CommitStatuses`."""
        body: dict[str, Any] = {
            "state": status.state.value,
            "context": status.context,
            "description": status.description,
            **_linked("target_url", status.link),
        }
        await self.session.send("POST", f"statuses/{commit}", body)

    async def open_deployment(self, release: Release) -> int:
        """See `slipway.ports.Deployments`."""
        for each in await self._deployments(release.target):
            if _release_of(each) == release.id:
                return _number_in(each)
        request = release.request
        body: dict[str, Any] = {
            "ref": str(release.commit),
            "environment": release.target,
            "task": release.kind.value,
            "description": short(f"{release.kind} by {request.requested_by}: {request.why}"),
            "payload": {MARK: release.id},
            # What else is said of the commit is not ours to judge, and nothing is merged for it.
            "auto_merge": False,
            "required_contexts": [],
        }
        answer = await self.session.send("POST", "deployments", body)
        return _number_in(object_in(answer))

    async def set_progress(self, deployment: int, status: DeploymentStatus) -> None:
        """See `slipway.ports.Deployments`."""
        body: dict[str, Any] = {
            "state": status.state.value,
            "description": status.description,
            # GitHub's own way leaves production environments out: `retire_others` does it.
            "auto_inactive": False,
            **_linked("log_url", status.link),
        }
        await self.session.send("POST", f"deployments/{deployment}/statuses", body)

    async def retire_others(self, target: str, live: int, status: DeploymentStatus) -> None:
        """See `slipway.ports.Deployments`."""
        for each in await self._deployments(target):
            number = _number_in(each)
            if number == live or _release_of(each) is None:
                continue
            newest = await self.session.send("GET", f"deployments/{number}/statuses?per_page=1")
            state = next((one.get("state") for one in items_in(newest)), None)
            if state == DeploymentState.SUCCESS:
                await self.set_progress(number, status)
            if state in {DeploymentState.SUCCESS, DeploymentState.INACTIVE}:
                return

    async def _deployments(self, target: str) -> Sequence[Mapping[str, Any]]:
        """The environment's newest deployments, newest first."""
        query = httpx.QueryParams({"environment": target, "per_page": LATEST})
        return items_in(await self.session.send("GET", f"deployments?{query}"))


def _linked(name: str, link: str) -> dict[str, str]:
    """A link for those who can follow it: GitHub takes http and https only."""
    return {name: link} if link.startswith(("http://", "https://")) else {}


def _release_of(deployment: Mapping[str, Any]) -> str | None:
    """The release that a deployment of Slipway's was made for."""
    payload = deployment.get("payload")
    if isinstance(payload, str):
        try:
            payload = json.loads(payload or "{}")
        except ValueError:
            return None
    mark = payload.get(MARK) if isinstance(payload, dict) else None
    return mark if isinstance(mark, str) else None


def _number_in(deployment: Mapping[str, Any]) -> int:
    number = deployment.get("id")
    if not isinstance(number, int):
        raise Unreachable("GitHub names no deployment's id: set `github_api` to its REST API")
    return number

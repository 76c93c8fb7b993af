"""What GitHub shows of commits: statuses and deployments, in memory."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

COMMIT_STATES = frozenset({"error", "failure", "pending", "success"})
DEPLOYMENT_STATES = COMMIT_STATES | {"inactive", "in_progress", "queued"}
LONGEST = 140


class Invalid(Exception):
    """GitHub answers 422 with this sentence."""


@dataclass
class Shown:
    """Of one repository; `knows` says which commits it has."""

    address: str
    """Of the repository in the API: `http://…/repos/owner/name`."""
    knows: Callable[[str], bool]
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By commit, newest first, as GitHub lists them."""
    deployments: list[dict[str, Any]] = field(default_factory=list)
    """Newest first."""
    progress: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    """By deployment, newest first."""
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def add_status(self, commit: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What `POST …/statuses/{sha}` does."""
        if not self.knows(commit):
            raise Invalid(f"No commit found for SHA: {commit}")
        made = {
            **self._made("statuses"),
            "state": _one_of(COMMIT_STATES, asked.get("state")),
            "description": _not_too_long(asked.get("description")),
            "target_url": asked.get("target_url"),
            "context": asked.get("context", "default"),
            "avatar_url": None,
        }
        self.statuses.setdefault(commit, []).insert(0, made)
        return made

    def add_deployment(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What `POST …/deployments` does; checks of the commit by others are not stood in."""
        ref = str(asked.get("ref", ""))
        if not self.knows(ref):
            raise Invalid(f"No ref found for: {ref}")
        made = self._made("deployments")
        made |= {
            "sha": ref,
            "ref": ref,
            "task": asked.get("task", "deploy"),
            "payload": asked.get("payload", ""),
            "environment": asked.get("environment", "production"),
            "description": asked.get("description", ""),
            "statuses_url": f"{made['url']}/statuses",
            "repository_url": self.address,
        }
        self.deployments.insert(0, made)
        self.progress[made["id"]] = []
        return made

    def add_progress(self, deployment: int, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What `POST …/deployments/{id}/statuses` does; nothing else becomes inactive by it."""
        made = {
            **self._made(f"deployments/{deployment}/statuses"),
            "state": _one_of(DEPLOYMENT_STATES, asked.get("state")),
            "description": _not_too_long(asked.get("description", "")),
            "target_url": asked.get("log_url", ""),
            "log_url": asked.get("log_url", ""),
            "deployment_url": f"{self.address}/deployments/{deployment}",
            "repository_url": self.address,
        }
        self.progress[deployment].insert(0, made)
        return made

    def deployments_of(self, environment: str | None) -> Sequence[dict[str, Any]]:
        """The deployments, newest first, of one environment where it is named."""
        return [each for each in self.deployments if environment in {None, each["environment"]}]

    def _made(self, kind: str) -> dict[str, Any]:
        number, now = next(self._numbers), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "id": number,
            "node_id": f"sandbox-{number}",
            "url": f"{self.address}/{kind}/{number}",
            "created_at": now,
            "updated_at": now,
            "creator": None,
        }


def _one_of(known: frozenset[str], state: object) -> str:
    if state not in known:
        raise Invalid(f"state: {state} is not one of {', '.join(sorted(known))}")
    return str(state)


def _not_too_long(description: str | None) -> str | None:
    if description is not None and len(description) > LONGEST:
        raise Invalid(f"description is too long (maximum is {LONGEST} characters)")
    return description

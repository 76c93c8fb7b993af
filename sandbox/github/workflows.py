"""Runs of workflows: nothing runs them here, but who pushes an image may say that one has ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SOME_TIME = "2026-11-26T16:00:00Z"


@dataclass
class Workflows:
    """What GitHub Actions knows of one repository."""

    runs: list[dict[str, str]] = field(default_factory=list)
    """Newest first."""

    def end(self, path: str, branch: str, sha: str, conclusion: str, event: str = "push") -> None:
        """A run ends."""
        run = {"path": path, "head_branch": branch, "head_sha": sha, "event": event}
        self.runs.insert(0, {**run, "conclusion": conclusion})

    def of(self, file: str, asked: Mapping[str, str]) -> Sequence[Mapping[str, str]]:
        """The runs of the workflow of this file, as they are asked for."""
        wanted = {"branch": "head_branch", "event": "event", "status": "conclusion"}
        return [
            run
            for run in self.runs
            if run["path"].rpartition("/")[2] == file
            and all(run[key] == asked[name] for name, key in wanted.items() if name in asked)
        ]


def listed(run: Mapping[str, str], number: int, repository: str, address: str) -> dict[str, Any]:
    """A run as the API lists it: with what the description requires."""
    here = f"{address}/actions/runs/{number}"
    others = ("jobs", "logs", "check_suite", "cancel", "rerun", "artifacts", "workflow")
    return {
        **run,
        "id": number,
        "node_id": f"run-{number}",
        "run_number": number,
        "display_title": run["path"],
        "workflow_id": 1,
        "status": "completed",
        "head_commit": None,
        "head_repository": {"full_name": repository},
        "repository": {"full_name": repository},
        "created_at": SOME_TIME,
        "updated_at": SOME_TIME,
        "pull_requests": [],
        "url": here,
        "html_url": here,
        **{f"{each}_url": f"{here}/{each}" for each in others},
    }

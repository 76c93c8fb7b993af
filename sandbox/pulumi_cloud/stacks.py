"""Stacks on disk: who they are, their tags, and the deployment after each update.

`stacks/PROJECT/STACK/stack.json`, `deployments/VERSION.json` and `updates/ID.json` beside it.
"""

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.pulumi_cloud import files
from sandbox.pulumi_cloud.errors import ApiError, bad_request, conflict, not_found
from sandbox.pulumi_cloud.requests import safe_name

EMPTY_DEPLOYMENT = {
    "version": 3,
    "deployment": {"manifest": {"time": "0001-01-01T00:00:00Z", "magic": "", "version": ""}},
}


@dataclass(frozen=True)
class Stack:
    """One stack and the folder it lives in."""

    organization: str
    project: str
    name: str
    folder: Path

    def record(self) -> dict[str, Any]:
        """Identifier, tags, version and the active update's identifier."""
        record: dict[str, Any] = files.read_json(self.folder / "stack.json")
        return record

    def save(self, record: dict[str, Any]) -> None:
        """Keep the record."""
        files.write_json(self.folder / "stack.json", record)

    def deployment(self, version: int | None = None) -> dict[str, Any]:
        """The state after an update, or the latest; without a checkpoint nothing changed."""
        kept = sorted(
            (int(path.stem) for path in self.folder.glob("deployments/*.json")), reverse=True
        )
        newest = self.record()["version"]
        if version is not None and not 0 < version <= newest:
            raise not_found(f"stack '{self.name}' has no version {version}; the latest is {newest}")
        for candidate in kept:
            if version is None or candidate <= version:
                found: dict[str, Any] = files.read_json(
                    self.folder / f"deployments/{candidate}.json"
                )
                return found
        return EMPTY_DEPLOYMENT

    def keep_deployment(self, version: int, deployment: dict[str, Any]) -> None:
        """The state as an update left it so far."""
        files.write_json(self.folder / f"deployments/{version}.json", deployment)

    def resources(self) -> list[dict[str, Any]]:
        """What the latest deployment holds."""
        return (self.deployment().get("deployment") or {}).get("resources") or []


class Stacks:
    """All stacks of all projects."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, organization: str, project: str, request: dict[str, Any]) -> Stack:
        """A new stack, empty unless the request brings a state along."""
        name = safe_name(request.get("stackName"), "stack name")
        stack = self._at(organization, project, name)
        if stack.folder.exists():
            raise conflict(f"Stack '{name}' already exists")
        record = {
            "id": str(uuid.uuid4()),
            "tags": request.get("tags") or {},
            "version": 0,
            "active": "",
        }
        if state := request.get("state"):
            record["version"] = 1
            stack.keep_deployment(1, state)
        stack.save(record)
        return stack

    def get(self, organization: str, project: str, name: str) -> Stack:
        """An existing stack."""
        stack = self._at(organization, project, name)
        if not (stack.folder / "stack.json").exists():
            raise not_found(f"Stack '{organization}/{project}/{name}' not found")
        return stack

    def delete(self, stack: Stack, *, force: bool) -> None:
        """Forget a stack that holds nothing and that nobody is changing."""
        if stack.record()["active"]:
            raise conflict("Another update is currently in progress.")
        if stack.resources() and not force:
            # The CLI compares this very text.
            raise ApiError(400, "Bad Request: Stack still contains resources.")
        gone = self._folder / f".deleted-{uuid.uuid4()}"
        stack.folder.rename(gone)
        shutil.rmtree(gone)

    def project_exists(self, organization: str, project: str) -> bool:
        """Whether any stack was made in a project."""
        return any(stack.project == project for stack in self.all(organization))

    def all(self, organization: str) -> Iterator[Stack]:
        """Every stack of an organization, by project and name."""
        for file in sorted((self._folder / organization).glob("*/*/stack.json")):
            project, name = file.parent.parent.name, file.parent.name
            yield Stack(organization, project, name, file.parent)

    def _at(self, organization: str, project: str, name: str) -> Stack:
        """Where a stack of this name lives or would live."""
        if not name or not project:
            raise bad_request("a stack needs a project and a name")
        return Stack(organization, project, name, self._folder / organization / project / name)

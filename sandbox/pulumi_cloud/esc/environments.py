"""Environments on disk: every revision's text byte for byte, with author, time and tags.

`environments/PROJECT/NAME/environment.json` and `revisions/NUMBER.{yaml,json}` beside it.
"""

import datetime as dt
import hashlib
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.pulumi_cloud import files
from sandbox.pulumi_cloud.errors import ApiError, conflict, not_found
from sandbox.pulumi_cloud.requests import safe_name
from sandbox.pulumi_cloud.updates import Clock

LATEST = "latest"
Record = dict[str, Any]


@dataclass(frozen=True)
class Revision:
    """One state of a definition."""

    number: int
    definition: bytes
    etag: str


@dataclass(frozen=True)
class Environment:
    """One environment and the folder it lives in."""

    organization: str
    project: str
    name: str
    folder: Path
    clock: Clock

    def record(self) -> Record:
        """Identifier, tags, retractions."""
        record: Record = files.read_json(self.folder / "environment.json")
        return record

    def save(self, record: Record) -> None:
        """Keep the record."""
        files.write_json(self.folder / "environment.json", record)

    def latest(self) -> int:
        """The number of the newest revision."""
        return int(self.record()["tags"][LATEST]["revision"])

    def resolve(self, version: str) -> int:
        """The number of a revision, given by number or tag."""
        record = self.record()
        if version.isdecimal():
            number = int(version)
            if not 0 < number <= record["tags"][LATEST]["revision"]:
                raise not_found(f"revision {number} of '{self.label()}' not found")
        elif version in record["tags"]:
            number = int(record["tags"][version]["revision"])
        else:
            raise not_found(f"tag '{version}' of '{self.label()}' not found")
        if str(number) in record["retracted"]:
            raise not_found(f"revision {number} of '{self.label()}' has been retracted")
        return number

    def revision(self, version: str = LATEST) -> Revision:
        """A readable revision."""
        number = self.resolve(version)
        definition = (self.folder / f"revisions/{number}.yaml").read_bytes()
        identity = f"{self.record()['id']} {number} ".encode()
        etag = f'"{hashlib.sha256(identity + definition).hexdigest()}"'
        return Revision(number, definition, etag)

    def append(self, definition: bytes, login: str) -> Revision:
        """A new revision, to which `latest` moves; equal text makes one too."""
        number = self.latest() + 1
        self.write(number, definition, login)
        self.tag(LATEST, number, login)
        return self.revision()

    def write(self, number: int, definition: bytes, login: str) -> None:
        """Put a revision's text and its author down; nothing refers to it yet."""
        files.write_bytes(self.folder / f"revisions/{number}.yaml", definition)
        about = {"created": self.now(), "login": login}
        files.write_json(self.folder / f"revisions/{number}.json", about)

    def tag(self, name: str, number: int, login: str) -> Record:
        """Make or move a tag."""
        record, now = self.record(), self.now()
        created = record["tags"].get(name, {}).get("created", now)
        tag = {"revision": number, "created": created, "modified": now, "login": login}
        record["tags"][name] = tag
        self.save(record)
        return tag

    def history(self, before: int, count: int) -> list[Record]:
        """Revisions newest first; `before` 0 is no bound, `count` 0 neither."""
        record = self.record()
        newest = self.latest() if before < 1 else min(before - 1, self.latest())
        numbers = range(newest, 0, -1)
        return [self._about(number, record) for number in numbers[: count or None]]

    def _about(self, number: int, record: Record) -> Record:
        """A revision as its history shows it."""
        kept = files.read_json(self.folder / f"revisions/{number}.json")
        tags = [name for name, tag in record["tags"].items() if tag["revision"] == number]
        about = {
            "number": number,
            "created": kept["created"],
            "creatorLogin": kept["login"],
            "creatorName": kept["login"],
            "tags": sorted(tags),
        }
        retracted = record["retracted"].get(str(number))
        return about | ({"retracted": retracted} if retracted else {})

    def label(self) -> str:
        """The name as imports write it."""
        return f"{self.project}/{self.name}"

    def now(self) -> str:
        """The time as JSON of Go reads it."""
        moment = dt.datetime.fromtimestamp(self.clock(), dt.UTC)
        return moment.isoformat().replace("+00:00", "Z")


class Environments:
    """All environments of all projects."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def create(self, organization: str, request: Record, login: str) -> Environment:
        """A new environment; its first revision is empty."""
        project = safe_name(request.get("project"), "project name")
        name = safe_name(request.get("name"), "environment name")
        environment = self._at(organization, project, name)
        if (environment.folder / "environment.json").exists():
            raise conflict(f"environment '{organization}/{project}/{name}' already exists")
        environment.write(1, b"", login)
        now = environment.now()
        latest = {"revision": 1, "created": now, "modified": now, "login": login}
        record = {"id": str(uuid.uuid4()), "tags": {LATEST: latest}, "retracted": {}}
        environment.save(record)
        return environment

    def get(self, organization: str, project: str, name: str) -> Environment:
        """An existing environment."""
        environment = self._at(organization, project, name)
        if not (environment.folder / "environment.json").exists():
            raise not_found(f"environment '{organization}/{project}/{name}' not found")
        return environment

    def delete(self, environment: Environment) -> None:
        """Forget an environment with all its revisions."""
        gone = self._folder / f".deleted-{uuid.uuid4()}"
        environment.folder.rename(gone)
        shutil.rmtree(gone)

    def all(self, organization: str) -> Iterator[Environment]:
        """Every environment, by project and name."""
        for file in sorted((self._folder / organization).glob("*/*/environment.json")):
            yield self._at(organization, file.parent.parent.name, file.parent.name)

    def _at(self, organization: str, project: str, name: str) -> Environment:
        """Where an environment of this name lives or would live."""
        folder = self._folder / organization / project / name
        return Environment(organization, project, name, folder, self._clock)


def require_match(environment: Environment, expected: list[str | None]) -> None:
    """Refuse a change that was made from another revision than the latest."""
    current = environment.revision().etag
    for etag in expected:
        if etag and etag != "*" and etag.removeprefix("W/").strip('"') != current.strip('"'):
            detail = f"environment '{environment.label()}' has been modified since it was read"
            raise ApiError(409, f"Conflict: {detail}; read it again")

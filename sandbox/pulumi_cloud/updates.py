"""Updates of a stack: one at a time under a lease, kept in the stack's history.

A preview takes no lock and enters no history. A lease that ends makes its update a failed one.
"""

import secrets
import time
import uuid
from collections.abc import Callable
from typing import Any

from sandbox.pulumi_cloud import files
from sandbox.pulumi_cloud.errors import ApiError, bad_request, conflict, not_found
from sandbox.pulumi_cloud.requests import safe_name
from sandbox.pulumi_cloud.stacks import Stack

LEASE_SECONDS = 300
FINAL = {"succeeded", "failed", "cancelled"}
# The CLI and the Automation API recognise a busy stack by this text.
BUSY = "Another update is currently in progress."

Record = dict[str, Any]
Clock = Callable[[], float]


class Updates:
    """Creates, leases and ends updates."""

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock

    def create(self, stack: Stack, kind: str, program: Record, login: str) -> Record:
        """An update that has not started yet."""
        metadata = program.get("metadata") or {}
        record = {
            "id": str(uuid.uuid4()),
            "kind": kind,
            "preview": kind == "preview" or bool((program.get("options") or {}).get("dryRun")),
            "login": login,
            "status": "not started",
            "message": metadata.get("message", ""),
            "environment": metadata.get("environment") or {},
            "config": program.get("config") or {},
        }
        self._save(stack, record)
        return record

    def start(self, stack: Stack, identifier: str, tags: dict[str, str] | None) -> Record:
        """Take the stack's lease; refused while another update holds it."""
        record = self.get(stack, identifier)
        if record["status"] != "not started":
            raise bad_request(f"update {identifier} is {record['status']} and cannot start again")
        known = stack.record()
        if not record["preview"]:
            if self.active(stack):
                raise conflict(BUSY)
            version = known["version"] + 1
            known = stack.record() | {
                "active": identifier,
                "newest": identifier,
                "version": version,
            }
        if tags is not None:
            known["tags"] = tags
        record |= {
            "status": "running",
            "version": known["version"],
            "start": int(self._clock()),
            "token": secrets.token_hex(20),
            "expires": self._clock() + LEASE_SECONDS,
        }
        self._save(stack, record)
        stack.save(known)
        return record

    def active(self, stack: Stack) -> Record | None:
        """The update that holds the stack now; one whose lease has ended becomes failed."""
        identifier = stack.record()["active"]
        if not identifier:
            return None
        record = self.get(stack, identifier)
        if record["status"] == "running" and self._clock() < record["expires"]:
            return record
        if record["status"] == "running":
            self._end(stack, record, "failed", int(record["expires"]))
        stack.save(stack.record() | {"active": ""})
        return None

    def holder(self, stack: Stack, identifier: str, authorization: str) -> Record:
        """The update, if the caller shows the token of its running lease."""
        record = self.get(stack, identifier)
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "update-token" or token != record.get("token"):
            raise ApiError(401, f"Unauthorized: not the lease token of update {identifier}")
        if record["status"] != "running" or self._clock() >= record["expires"]:
            raise ApiError(403, f"Forbidden: the lease of update {identifier} has ended")
        return record

    def renew(self, stack: Stack, record: Record, seconds: int) -> Record:
        """Hold the stack for so many seconds from now, at most the usual lease."""
        record["expires"] = self._clock() + min(seconds, LEASE_SECONDS)
        self._save(stack, record)
        return record

    def note_events(self, stack: Stack, record: Record, events: list[Record]) -> None:
        """Keep what history shows of the engine's events: the count of changes by kind."""
        for event in events:
            if summary := event.get("summaryEvent"):
                record["changes"] = summary.get("resourceChanges") or {}
                self._save(stack, record)

    def end(self, stack: Stack, record: Record, status: str) -> None:
        """Complete or cancel an update and let the stack go; ending twice changes nothing."""
        if status not in FINAL:
            raise bad_request(f"an update cannot end as {status!r}; use one of {sorted(FINAL)}")
        if record["status"] in FINAL:
            return
        self._end(stack, record, status, int(self._clock()))
        known = stack.record()
        if known["active"] == record["id"]:
            stack.save(known | {"active": ""})

    def expire_lease(self, stack: Stack) -> Record:
        """Let the running update's lease end now, as after five minutes of silence."""
        record = self.active(stack)
        if record is None:
            raise not_found(f"stack '{stack.name}' has no running update whose lease could end")
        self._save(stack, record | {"expires": self._clock()})
        self.active(stack)
        return record

    def adopt(self, stack: Stack, deployment: Record, login: str) -> Record:
        """An update of kind `import`: the state is what somebody says it is."""
        if self.active(stack):
            raise conflict(BUSY)
        record = self.create(stack, "import", {}, login)
        self.start(stack, record["id"], None)
        record = self.get(stack, record["id"])
        stack.keep_deployment(record["version"], deployment)
        self.end(stack, record, "succeeded")
        return record

    def get(self, stack: Stack, identifier: str) -> Record:
        """An update by its identifier."""
        path = stack.folder / f"updates/{safe_name(identifier, 'update')}.json"
        record: Record | None = files.read_json(path)
        if record is None:
            raise not_found(f"Update '{identifier}' not found")
        return record

    def history(self, stack: Stack) -> list[Record]:
        """Started updates, newest first, without previews."""
        self.active(stack)
        records = [files.read_json(path) for path in stack.folder.glob("updates/*.json")]
        started = [each for each in records if "version" in each and not each["preview"]]
        return sorted(started, key=lambda each: -int(each["version"]))

    def _end(self, stack: Stack, record: Record, status: str, end: int) -> None:
        """Write down how an update ended."""
        record |= {"status": status, "end": end}
        self._save(stack, record)

    @staticmethod
    def _save(stack: Stack, record: Record) -> None:
        """Keep the record."""
        files.write_json(stack.folder / f"updates/{record['id']}.json", record)

"""What a person does and sees in Prefect's UI, by the calls that its pages make."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

ENDS = {"COMPLETED", "FAILED", "CANCELLED", "CRASHED"}
PAGE = 200
LOOK_EVERY = 0.5
ENDED_WITHIN = 600.0
BUSY_WITHIN = 60.0
LINES_WITHIN = 60.0
"""Seconds: a worker's process sends its log in batches."""


class Ui:
    """The pages of one Prefect server."""

    def __init__(self, api: str) -> None:
        self._client = httpx.Client(base_url=api, timeout=300.0)

    def close(self) -> None:
        self._client.close()

    def post(self, path: str, body: Any) -> Any:
        answer = self._send("POST", path, body)
        assert answer.is_success, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        answer = self._send("GET", path)
        assert answer.is_success, answer.text
        return answer.json()

    def _send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Press again when Prefect's SQLite was busy, as a person does."""
        deadline = time.monotonic() + BUSY_WITHIN
        while True:
            answer = self._client.request(method, path, json=body)
            busy = answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
            if not busy or time.monotonic() > deadline:
                return answer
            time.sleep(LOOK_EVERY)  # between two tries at another process

    def deployments(self) -> dict[str, dict[str, Any]]:
        """Every deployment by `flow/name`."""
        flows = {each["id"]: each["name"] for each in self.post("/flows/filter", {})}
        listed = self.post("/deployments/filter", {})
        return {f"{flows[each['flow_id']]}/{each['name']}": each for each in listed}

    def save_block(self, kind: str, name: str, /, **data: Any) -> str:
        """Fill in the form of a new block of a kind; the block's id."""
        found = self.get(f"/block_types/slug/{kind}")
        wanted = {"block_schemas": {"block_type_id": {"any_": [found["id"]]}}}
        [schema] = self.post("/block_schemas/filter", wanted)
        ids = {"block_type_id": found["id"], "block_schema_id": schema["id"]}
        return str(self.post("/block_documents/", {"name": name, "data": data, **ids})["id"])

    def events(self, of: str, kind: str) -> list[dict[str, Any]]:
        """The Events page: those of one kind that a flow run has told."""
        run = {"id": [f"prefect.flow-run.{of}"]}
        wanted = {"filter": {"event": {"name": [kind]}, "related": run}}
        found: list[dict[str, Any]] = self.post("/events/filter", wanted)["events"]
        return found

    def submit(self, deployment: str, /, **filled_in: Any) -> httpx.Response:
        """Press "Run" in a deployment's form, whatever the server answers.

        The form starts with the deployment's own parameters, as both UIs show them.
        """
        found = self.get(f"/deployments/name/{deployment}")
        body = {
            "state": {"type": "SCHEDULED", "message": "Run from the Prefect UI"},
            "parameters": {**found["parameters"], **filled_in},
            "enforce_parameter_schema": found["enforce_parameter_schema"],
        }
        return self._send("POST", f"/deployments/{found['id']}/create_flow_run", body)

    def start(self, deployment: str, /, **filled_in: Any) -> "Run":
        """Start a run by its deployment's form."""
        answer = self.submit(deployment, **filled_in)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return Run(self, answer.json()["id"])

    def complaints(self, deployment: str, /, **filled_in: Any) -> list[Any]:
        """What the form says of its fields before anything is started."""
        found = self.get(f"/deployments/name/{deployment}")
        body = {
            "schema": found["parameter_openapi_schema"],
            "values": {**found["parameters"], **filled_in},
        }
        errors: list[Any] = self.post("/ui/schemas/validate", body)["errors"]
        return errors


@dataclass(frozen=True)
class Run:
    """A flow run's page."""

    ui: Ui
    id: str

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ui.get(f"/flow_runs/{self.id}")
        return found

    @property
    def state(self) -> tuple[str, str]:
        """The state's type and name."""
        state = self.read()["state"]
        return state["type"], state["name"]

    @property
    def message(self) -> str:
        return str(self.read()["state"]["message"])

    def cancel(self) -> None:
        self._set_state({"type": "CANCELLING", "name": "Cancelling"})

    def retry(self) -> None:
        message = "Retry from the UI"
        self._set_state({"type": "SCHEDULED", "name": "AwaitingRetry", "message": message})

    def _set_state(self, state: Mapping[str, Any]) -> None:
        self.ui.post(f"/flow_runs/{self.id}/set_state", {"state": state, "force": True})

    def wait(self, until: Callable[["Run"], object], what: str, within: float) -> None:
        """Look at the page until it shows something; a failure tells what it showed."""
        deadline = time.monotonic() + within
        while not until(self):
            if time.monotonic() > deadline:
                pytest.fail(f"{what}: not within {within:.0f} s; {self.read()['state']}")
            time.sleep(LOOK_EVERY)  # between two looks at another process

    def ended(self, runs: int = 0) -> "Run":
        """The same run at its end; `runs` is how often it must have begun by then."""

        def has_ended(run: Run) -> bool:
            now = run.read()
            return now["run_count"] >= runs and now["state"]["type"] in ENDS

        self.wait(has_ended, "the run's end", ENDED_WITHIN)
        return self

    def log(self, awaited: str = "") -> list[dict[str, Any]]:
        """The Logs tab, once a line of it contains `awaited`."""
        lines: list[dict[str, Any]] = []

        def has_line(run: Run) -> bool:
            lines[:] = run._lines()
            return any(awaited in each["message"] for each in lines)

        self.wait(has_line, f"a line with {awaited!r}", LINES_WITHIN)
        return lines

    def _lines(self) -> Iterator[dict[str, Any]]:
        wanted = {"flow_run_id": {"any_": [self.id]}}
        offset = 0
        while page := self.ui.post(
            "/logs/filter",
            {"logs": wanted, "sort": "TIMESTAMP_ASC", "limit": PAGE, "offset": offset},
        ):
            yield from page
            offset += len(page)

    def steps(self) -> list[str]:
        """The Task Runs tab: each run's name without its number, oldest first."""
        wanted = {"flow_runs": {"id": {"any_": [self.id]}}, "sort": "EXPECTED_START_TIME_ASC"}
        found = self.ui.post("/task_runs/filter", wanted)
        return [each["name"].rpartition("-")[0] for each in found]

    def artifacts(self, kind: str) -> list[dict[str, Any]]:
        """The Artifacts tab: those of one kind."""
        wanted = {"artifacts": {"flow_run_id": {"any_": [self.id]}, "type": {"any_": [kind]}}}
        found: list[dict[str, Any]] = self.ui.post("/artifacts/filter", wanted)
        return found

    def table(self, key: str) -> list[dict[str, Any]]:
        """The rows of the one table with this key."""
        [found] = [each for each in self.artifacts("table") if each["key"] == key]
        rows = found["data"]
        return list(json.loads(rows) if isinstance(rows, str) else rows)

    def events(self, kind: str, count: int) -> list[dict[str, Any]]:
        """What it has told of one kind, once there are so many: they arrive a little later."""
        found: list[dict[str, Any]] = []

        def has_told(run: Run) -> bool:
            found[:] = run.ui.events(run.id, kind)
            return len(found) >= count

        self.wait(has_told, f"{count} events {kind}", LINES_WITHIN)
        return found

    def report(self, key: str) -> str:
        """The text of the one markdown artifact whose key begins so."""
        [found] = [each for each in self.artifacts("markdown") if each["key"].startswith(key)]
        return str(found["data"])

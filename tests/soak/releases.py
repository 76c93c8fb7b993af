"""Releases without end, started in Prefect as a person does it, whatever is struck meanwhile."""

import random
import threading
import time
from collections import Counter

import httpx

from sandbox import prefect_server
from tests.sandbox.releases.real_world import BEHAVIOURS, SINK, START, RealWorld

ENDED_WITHIN = 120.0
"""Seconds after which the next release is started although this one goes on: it has to wait."""
LOOK_EVERY = 1.0
ENDS = {"COMPLETED", "FAILED", "CANCELLED", "CRASHED"}
BY_THEMSELVES = ("audit/all", "audit/every-tag", "drill/all")


_committing = threading.Lock()


class Releases(threading.Thread):
    """Starts a target's, one after the other; a few of them crash, or go back."""

    def __init__(self, world: RealWorld, target: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.started: list[str] = []
        """The flow runs."""
        self._world, self._target = world, target
        self._chance = random.Random(f"{seed} {target}")  # noqa: S311 - no secret
        self._client = httpx.Client(base_url=prefect_server.api(world.box), timeout=30.0)
        self._stopping = threading.Event()

    def run(self) -> None:
        for name in BY_THEMSELVES:
            found = self._ask("GET", f"/deployments/name/{name}")
            self._ask("PATCH", f"/deployments/{found['id']}", {"paused": True})
        while not self._stopping.is_set():
            run = self._start()
            self.started.append(run)
            self._wait(run)

    def stop(self) -> None:
        """Start no more."""
        self._stopping.set()

    def under_way(self) -> Counter[str]:
        """What Prefect says of the runs that it does not know to have ended."""
        states = [self._ask("GET", f"/flow_runs/{run}")["state"] for run in self.started]
        return Counter(each["name"] for each in states if each["type"] not in ENDS)

    def _start(self) -> str:
        wanted: dict[str, object] = {"why": "a soak"}
        verb = "rollback" if self.started and self._chance.random() < 1 / 6 else "deploy"
        if verb == "deploy":
            behaviour = self._chance.choice(["good", "good", "good", "crashes"])
            wanted["commit"] = self._commit(behaviour)
        found = self._ask("GET", f"/deployments/name/{verb}/{self._target}")
        body = {
            "state": {"type": "SCHEDULED"},
            "parameters": {**found["parameters"], **wanted},
        }
        return str(self._ask("POST", f"/deployments/{found['id']}/create_flow_run", body)["id"])

    def _commit(self, behaviour: str) -> str:
        with _committing:
            files = {
                "sink/src/start.sh": START.format(before=BEHAVIOURS[behaviour]),
                "sink/src/release": f"{behaviour} {len(self.started)}\n",
            }
            commit = self._world.commit(behaviour, files if self._target == SINK else None)
        return commit.sha

    def _wait(self, run: str) -> None:
        deadline = time.monotonic() + ENDED_WITHIN
        while time.monotonic() < deadline:
            if self._ask("GET", f"/flow_runs/{run}")["state"]["type"] in ENDS:
                return
            time.sleep(LOOK_EVERY)

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, dict[str, str]]:
        """Ask until the server answers: it is struck too."""
        while True:
            try:
                answer = self._client.request(method, path, json=body)
            except httpx.TransportError:
                time.sleep(LOOK_EVERY)
                continue
            if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                answer.raise_for_status()
                return dict(answer.json()) if answer.content else {}
            time.sleep(LOOK_EVERY)

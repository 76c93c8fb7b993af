"""Deploys by the sandbox's Prefect worker, whose clients are timed (`timed_release`)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx

from benchmarks.timed_release import TIMES, read_times
from benchmarks.world import ADAPTER, ROOT, World
from sandbox import prefect_server
from slipway.cli.deployments import JOB_VARIABLES, WORK_POOL

NAME = "bench"
LOOK_EVERY = 0.2
WITHIN = 180.0


@dataclass(frozen=True)
class Ended:
    """A run that has ended live."""

    start: datetime
    end: datetime
    times: Mapping[str, Any]


class PrefectRuns:
    """Runs of a deployment that is like the registered one, but for its clocks."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._api = prefect_server.api(world.box)
        self._times = world.box.folder("bench") / "prefect.json"
        self._deployment: UUID | None = None

    async def deploy(self, commit: str) -> Ended:
        """Deploy a commit; the run's own times."""
        self._times.unlink(missing_ok=True)
        async with httpx.AsyncClient(base_url=f"{self._api}/", timeout=30) as client:
            if self._deployment is None:
                self._deployment = await self._make_deployment(client)
            wanted = {"parameters": {"commit": commit, "target": ADAPTER, "requested_by": NAME}}
            path = f"deployments/{self._deployment}/create_flow_run"
            answer = await client.post(path, json=wanted)
            while answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                await asyncio.sleep(LOOK_EVERY)  # Prefect's server on SQLite, at its limit
                answer = await client.post(path, json=wanted)
            made = answer.raise_for_status().json()
            ended = await self._wait(client, made["id"])
        start, end = (datetime.fromisoformat(ended[name]) for name in ("start_time", "end_time"))
        return Ended(start, end, read_times(self._times))

    async def _wait(self, client: httpx.AsyncClient, run: str) -> dict[str, Any]:
        async with asyncio.timeout(WITHIN):
            while True:
                found: dict[str, Any] = (await client.get(f"flow_runs/{run}")).json()
                if found["state_type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}:
                    break
                await asyncio.sleep(LOOK_EVERY)
        if found["state_name"] != "Live":
            raise RuntimeError(f"the run ended {found['state_name']}: {found['state']['message']}")
        return found

    async def _make_deployment(self, client: httpx.AsyncClient) -> UUID:
        flow = (await client.post("flows/", json={"name": "deploy"})).raise_for_status().json()
        given: Any = JOB_VARIABLES["env"]
        environment = {
            **given,
            "PYTHONPATH": str(ROOT),
            TIMES: str(self._times),
        }
        wanted = {
            "name": NAME,
            "flow_id": flow["id"],
            "entrypoint": "benchmarks.timed_release.deploy",
            "work_pool_name": WORK_POOL,
            "job_variables": {**JOB_VARIABLES, "env": environment},
            "pull_steps": [],
        }
        made = (await client.post("deployments/", json=wanted)).raise_for_status().json()
        return UUID(made["id"])

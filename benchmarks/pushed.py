"""From a push to the start of its flow run, on the sandbox with GitHub's part beside it."""

import asyncio
import contextlib
import statistics
from collections.abc import AsyncIterator
from datetime import datetime

import httpx

from benchmarks.deploy import medians
from benchmarks.rows import AtMost, Row
from benchmarks.samples import series
from benchmarks.world import ADAPTER, World
from sandbox import prefect_server, repository
from sandbox.box import Box
from sandbox.github.part import GitHub, Webhook
from sandbox.processes import Processes
from slipway.domain.delivery import ReceivedDelivery
from slipway.domain.hold import NewHold
from slipway.ledger.inbox import SqlInbox
from slipway.ledger.settings import LedgerSettings

PUSHES_A_ROUND = 4
LOOK_EVERY = 0.1
WITHIN = 180.0
ENDS = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})


async def measure(world: World, rounds: int) -> list[Row]:
    """Push again and again; the target is held, so that a run only publishes."""
    ledger = world.ports().ledger
    hold = await ledger.place_hold(ADAPTER, NewHold("pushes are timed", "bench"))
    try:
        async with receiving(world.box):
            pushes = [await Push(world).until_it_runs() for _ in range(PUSHES_A_ROUND * rounds)]
    finally:
        await ledger.lift_hold(hold.number, "bench", "they were timed")
        await world.close()
    took = [sum(each.values()) for each in pushes]
    middle = statistics.median(took)
    return [
        Row(
            "P10",
            "from a push accepted to its flow running",
            "s",
            series(max(took)),
            promise=AtMost(5.0),
            parts=medians(pushes),
            note=f"the slowest of {len(took)} pushes; the median is {middle:.2f} s",
        )
    ]


@contextlib.asynccontextmanager
async def receiving(box: Box) -> AsyncIterator[None]:
    """GitHub's part and the webhook, gone afterwards: other benchmarks push for themselves."""
    await asyncio.to_thread(GitHub().start, box)
    await asyncio.to_thread(Webhook().start, box)
    try:
        yield
    finally:
        (repository.path(box) / "hooks" / "post-receive").unlink()
        processes = Processes(box)
        for name in ("slipway-webhook", "github"):
            if (running := processes.find(name)) is not None:
                processes.end(running)


class Push:
    """One push, by real git."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._api = f"{prefect_server.api(world.box)}/"

    async def until_it_runs(self) -> dict[str, float]:
        """Seconds from when its delivery was on disk to when its run began; its end is awaited.

        The webhook's part, until the run is there; the worker's, until it takes it; and the rest.
        """
        commit = await asyncio.to_thread(self._world.commit)
        inbox = SqlInbox(LedgerSettings.from_environment(self._world.environment))
        try:
            async with asyncio.timeout(WITHIN):
                delivery, run = await self._started(inbox, commit)
                made, taken, began = await self._ended(run)
        finally:
            await inbox.close()
        return {
            "webhook": (made - delivery.received).total_seconds(),
            "worker": (taken - made).total_seconds(),
            "flow's process": (began - taken).total_seconds(),
        }

    async def _started(self, inbox: SqlInbox, commit: str) -> tuple[ReceivedDelivery, str]:
        while True:
            for each in await inbox.recent(5):
                push = each.delivery.push
                at = next((one for one in each.at if one.target == ADAPTER), None)
                of_it = push is not None and push.after.sha == commit
                if of_it and at is not None and at.ending is not None:
                    if not at.ending.run:
                        raise RuntimeError(f"the push started nothing: {at.ending.reason}")
                    return each, at.ending.run
            await asyncio.sleep(LOOK_EVERY)

    async def _ended(self, run: str) -> tuple[datetime, datetime, datetime]:
        """When the run was made, taken by the worker, and began."""
        async with httpx.AsyncClient(base_url=self._api, timeout=30) as client:
            while True:
                answer = await client.get(f"flow_runs/{run}")
                found = answer.json() if answer.is_success else {}
                if found.get("state_type") in ENDS:
                    made, began = (
                        datetime.fromisoformat(found[n]) for n in ("created", "start_time")
                    )
                    return made, await self._taken(client, run), began
                await asyncio.sleep(LOOK_EVERY)

    async def _taken(self, client: httpx.AsyncClient, run: str) -> datetime:
        answer = await client.get("flow_run_states/", params={"flow_run_id": run})
        states = answer.raise_for_status().json()
        return min(datetime.fromisoformat(e["timestamp"]) for e in states if e["type"] == "PENDING")

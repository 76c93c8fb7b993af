"""V1: how long a rollback takes where its pods have to start."""

import ssl
import time
from datetime import datetime
from typing import Any

import httpx

from benchmarks import SOAK
from benchmarks.deploy import medians
from benchmarks.releasing import deployed, require_live
from benchmarks.rows import AtMost, Row
from benchmarks.samples import series
from benchmarks.world import ADAPTER, SELECTOR, World
from flows import rollback
from slipway.domain.release import Kind, Request

BACK = AtMost(30.0)
PREVIOUS = "previous"


async def measure(world: World, rounds: int) -> list[Row]:
    """Deploy a commit, and roll it back, again and again."""
    await deployed(world)
    taken = [await _rolled_back(world) for _ in range(rounds)]
    await _lift_holds(world)
    return [
        Row(
            "V1-back-start",
            "from a rollback's begin to the old digest proven on all pods, without their start",
            "s",
            series(*(each["rollback"] - each["start of a pod"] for each in taken)),
            promise=BACK,
            parts=medians(taken),
            note=f"of a live release; a soak of {SOAK:g} s is part of it, by default it is 10 s",
        )
    ]


async def _rolled_back(world: World) -> dict[str, float]:
    await deployed(world)
    began = time.time()
    outcome = await rollback.release(
        world.ports(), Request(Kind.ROLLBACK, PREVIOUS, "bench", why="a rollback is timed")
    )
    took = time.time() - began
    require_live(outcome.release)
    await world.close()
    return {"rollback": took, "start of a pod": _longest_start(world, began)}


def _longest_start(world: World, since: float) -> float:
    """From a pod's creation to when it was ready; the kubelet tells whole seconds."""
    address, headers, authority = world.cluster()
    asked = {"labelSelector": SELECTOR}
    path = f"{address}/api/v1/namespaces/apps/pods"
    trust = ssl.create_default_context(cafile=authority)
    pods = httpx.get(path, params=asked, headers=headers, verify=trust).json()["items"]
    new = [each for each in pods if _seconds(each["metadata"]["creationTimestamp"]) >= since - 1]
    if not new:
        raise RuntimeError("no pod was started by the rollback")
    return max(_ready_since(each) - _seconds(each["metadata"]["creationTimestamp"]) for each in new)


def _ready_since(pod: dict[str, Any]) -> float:
    conditions = {each["type"]: each for each in pod["status"]["conditions"]}
    return _seconds(conditions["Ready"]["lastTransitionTime"])


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


async def _lift_holds(world: World) -> None:
    """A rollback leaves one, which others need not stumble over."""
    ledger = world.ports().ledger
    for hold in await ledger.holds(ADAPTER):
        await ledger.lift_hold(hold.number, "bench", "it was timed")
    await world.close()

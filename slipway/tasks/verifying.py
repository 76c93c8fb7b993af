"""Verify: prove by digest what runs, fail as soon as it can't become good, and never guess."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

from slipway.domain.rollout import (
    Expectation,
    Judgement,
    Proof,
    Verdict,
    Watch,
    judge,
    pod_to_show,
    proof_of,
)
from slipway.domain.workloads import Workloads
from slipway.errors import ImageDisproven, ImageNotStarted, SlipwayError, Unproven
from slipway.ports import Health, Ports
from slipway.tasks.policies import once
from slipway.tasks.report import report_evidence

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0


@once("verify what runs")
async def verify(ports: Ports, expected: Expectation, *, remedy: str = "") -> Proof:
    """Wait until the image is proven; the sentence that says by what, and the pods.

    `ImageDisproven` when it is measured bad, `Unproven` when it could not be measured before the
    deadline; `remedy` is what to do then where no release is there for recovery to observe.
    Changes nothing, so it may be asked again at any time.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    watch, told = Watch(), ""
    while True:
        seen, watch, judgement = await _look_and_soak(ports, expected, watch)
        if seen is not None and judgement.verdict is Verdict.PROVEN:
            return proof_of(expected, seen, judgement.why)
        judgement = too_late(ports, judgement, loop.time() - began)
        if judgement.verdict is Verdict.DISPROVEN:
            raise await disproven(ports, seen, judgement)
        if judgement.why != told:
            told = judgement.why
            log.info("%s: %s", ports.target.name, told)
        if loop.time() - began >= ports.target.ready_within:
            raise _unproven(ports, judgement, remedy)
        await asyncio.sleep(LOOK_EVERY)


async def _look_and_soak(
    ports: Ports, expected: Expectation, watch: Watch
) -> tuple[Workloads | None, Watch, Judgement]:
    seen, watch, judgement = await look(ports, expected, watch)
    if seen is not None and judgement.verdict is Verdict.PROVEN:
        seen, judgement = await _soak(ports, expected, seen)
    return seen, watch, judgement


def _unproven(ports: Ports, judgement: Judgement, remedy: str) -> Unproven:
    target = ports.target
    remedy = remedy or f"`slipway recover {target.name}` goes on observing"
    return Unproven(
        f"{target.name} could not be measured within {target.ready_within:g} s; last seen: "
        f"{judgement.why}; {remedy}"
    )


async def look(
    ports: Ports, expected: Expectation, watch: Watch
) -> tuple[Workloads | None, Watch, Judgement]:
    """Observe once and judge; what can't be observed, for whatever reason, is unknown, not bad."""
    try:
        seen = await ports.cluster.observe(ports.target.workload)
    except SlipwayError as error:
        return None, watch, Judgement(Verdict.UNKNOWN, str(error))
    if seen is None:
        why = f"there is no {ports.target.workload}"
        return None, watch, Judgement(Verdict.WAITING, why, started=False)
    now = asyncio.get_running_loop().time()
    watch, judgement = judge(expected, watch, seen, now)
    return seen, watch, judgement


async def disproven(ports: Ports, seen: Workloads | None, judgement: Judgement) -> ImageDisproven:
    """The error for a bad verdict, after its evidence has been reported."""
    if seen is not None:
        await report_failure(ports, seen, judgement)
    if not judgement.started:
        return ImageNotStarted(
            f"{judgement.why}; mend that, which says nothing of the image, and start a new run"
        )
    return ImageDisproven(
        f"{judgement.why}; see the evidence in the run, mend the image, and deploy a new commit"
    )


async def report_failure(ports: Ports, seen: Workloads, judgement: Judgement) -> None:
    """Report what explains a bad verdict; a cluster that can't be asked loses only the report."""
    container = ports.target.workload.container
    try:
        evidence = await ports.cluster.evidence(seen, container, pod_to_show(seen, judgement))
    except SlipwayError as error:
        log.warning("no evidence could be gathered: %s", error)
        return
    await report_evidence(ports.target.name, judgement.why, evidence)


def too_late(ports: Ports, judgement: Judgement, waited: float) -> Judgement:
    """Waiting becomes a bad verdict once the target's patience is over; unknown never does."""
    if judgement.verdict is not Verdict.WAITING or waited < ports.target.ready_within:
        return judgement
    why = f"{judgement.why}, and not ready within {ports.target.ready_within:g} s"
    return replace(judgement, verdict=Verdict.DISPROVEN, why=why)


async def _soak(
    ports: Ports, expected: Expectation, first: Workloads
) -> tuple[Workloads | None, Judgement]:
    """Ready pods must answer well, and stay ready without a restart, for the target's soak."""
    loop = asyncio.get_running_loop()
    end = loop.time() + ports.target.soak
    restarts = _restarts(first)
    watch = Watch()
    if (sick := await _sick(ports, first)) is not None:
        return first, sick
    while loop.time() < end:
        await asyncio.sleep(min(LOOK_EVERY, max(end - loop.time(), 0.0)))
        seen, watch, judgement = await look(ports, expected, watch)
        if seen is None or judgement.verdict is not Verdict.PROVEN:
            return seen, judgement
        for pod, count in _restarts(seen).items():
            if count > restarts.get(pod, 0):
                why = f"pod {pod} became ready, then restarted {count} times within the soak"
                return seen, Judgement(Verdict.DISPROVEN, why, pod)
        first = seen
    sick = await _sick(ports, first)
    return first, sick or Judgement(
        Verdict.PROVEN,
        f"{len(_restarts(first))} of {first.replicas} pods run it, well for "
        f"{ports.target.soak:g} s",
    )


async def _sick(ports: Ports, seen: Workloads) -> Judgement | None:
    if not ports.target.workload.health_path:
        return None
    for pod in _restarts(seen):
        try:
            health = await ports.cluster.health(ports.target.workload, pod)
        except SlipwayError as error:
            return Judgement(Verdict.UNKNOWN, str(error), pod)
        if not health.good:
            return Judgement(Verdict.WAITING, _describe(ports, pod, health), pod)
    return None


def _describe(ports: Ports, pod: str, health: Health) -> str:
    path = ports.target.workload.health_path
    answer = f"answered {health.status}: {health.body[:200]}" if health.status else "did not answer"
    return f"pod {pod}: {path} {answer}"


def _restarts(seen: Workloads) -> Mapping[str, int]:
    """Pod name → restarts of all its containers, of the ready pods that ask for the image."""
    current = {each.name for each in seen.replica_sets if each.image == seen.image}
    return {
        pod.name: sum(each.restarts for each in pod.containers)
        for pod in seen.pods
        if pod.ready and not pod.terminating and pod.replica_set in current
    }

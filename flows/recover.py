"""Recover: finish what a dead process left, forward if its image is proven, back otherwise."""

import logging
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State as PrefectState

from blocks.loading import connected
from flows.rolling_out import (
    RESTORING_FAILED,
    end_live,
    interrupted,
    leave_open,
    refuse,
    restore,
    undisturbed,
)
from flows.states import refusing, worst
from slipway.domain.release import Outcome, Phase, Release, State, reason
from slipway.domain.rollout import Expectation
from slipway.errors import PermanentError, SlipwayError, Unproven
from slipway.ports import Ports
from slipway.tasks.applying import wait_until_idle
from slipway.tasks.lease import stack_lease
from slipway.tasks.record import Record
from slipway.tasks.report import end_dead_run, report_release
from slipway.tasks.restoring import align
from slipway.tasks.telling import last_words
from slipway.tasks.verifying import verify

log = logging.getLogger(__name__)

BY_RECOVERY = "; finished by recovery"
RECOVERY_FAILED = "; recovery failed: "


@flow(name="recover", flow_run_name="recover the stack of {target}", persist_result=False)
@refusing
async def recover(target: str) -> PrefectState[Any]:
    """Finish every release that a dead process left open at the target's stack.

    Args:
        target: Filled in already: the name of any target of the stack.
    """
    async with connected(target) as ports:
        return worst(await finish_all(ports))


async def finish_all(ports: Ports) -> list[Outcome]:
    """Finish every unfinished release of the target's stack, oldest first, under its lease."""
    if not await ports.ledger.unfinished(str(ports.target.stack)):
        return []
    async with stack_lease(ports, f"recover-{ports.target.name}") as lease:
        finished = [
            await finish(ports, release, lease.fence)
            for release in await ports.ledger.unfinished(str(ports.target.stack))
            if _is_left(ports, release)
        ]
    await last_words()
    return finished


async def finish_others(ports: Ports, mine: Release) -> None:
    """Before a release begins to change the stack: nothing else may stand open there.

    Raises when something does that can't be finished yet.
    """
    for release in await ports.ledger.unfinished(mine.stack):
        if release.id == mine.id or not _is_left(ports, release):
            continue
        outcome = await finish(ports, release, mine.fence)
        if outcome.release.is_open:
            why = outcome.release.reason or "the ledger did not take its end"
            raise Unproven(
                f"release {release.id} at {release.target} stands open and could not be finished "
                f"({why}): mend that, then slipway recover {release.target}"
            )


def _is_left(ports: Ports, release: Release) -> bool:
    """Whether its process can't go on: it has held the lease, which is ours now, or it has ended.

    Any other may still build its image, or wait for the lease.
    """
    if release.fence > 0:
        return True
    return release.worker is not None and ports.processes.has_ended(release.worker)


async def finish(ports: Ports, release: Release, fence: int) -> Outcome:
    """Bring one unfinished release to its end, without the memory of the process that died."""
    if release.target == ports.target.name:
        return await _finish(ports, release, fence)
    theirs = await ports.neighbour(release.target)
    try:
        return await _finish(theirs, release, fence)
    finally:
        await theirs.close()


async def _finish(ports: Ports, release: Release, fence: int) -> Outcome:
    record = Record(ports.ledger, release, ports.write_back)
    if not await record.take_over(fence, ports.processes.own()):
        return record.outcome
    release = record.release
    log.info("recovering release %s (%s, %s)", release.id, release.state, release.phase)
    if not release.phase.reached(Phase.PINNING):
        await refuse(
            record, interrupted(release, "its process ended before it had changed anything")
        )
    else:
        with undisturbed():
            try:
                await _finish_pinned(ports, record)
            except SlipwayError as error:
                await leave_open(record, error, _known_cause(record.release) + RECOVERY_FAILED)
    await report_release(record.release, record.durations, record.proof)
    await end_dead_run(record.release)
    return record.outcome


async def _finish_pinned(ports: Ports, record: Record) -> None:
    await wait_until_idle(ports, record)
    because = _known_cause(record.release)
    if await _stands(ports, record.release):
        try:
            record.proof = await verify(ports, _expectation(ports, record.release))
        except PermanentError as error:
            because = reason(error)
        else:
            await align(ports, record)
            await record.note(unproven=False)
            await end_live(ports, record, f"proven: {record.proof}, by recovery")
            return
    await restore(ports, record, f"{because}{BY_RECOVERY}")


def _known_cause(release: Release) -> str:
    """Why the release could not go on, as far as its process has come to say so."""
    before = release.reason
    for mark in (RESTORING_FAILED, RECOVERY_FAILED, BY_RECOVERY):
        before = before.partition(mark)[0]
    return before or reason(interrupted(release, "its process ended after the pin"))


async def _stands(ports: Ports, release: Release) -> bool:
    """Whether forward is possible at all: ESC holds the image, and the pod template asks for it."""
    if release.state is State.RESTORING or not release.phase.reached(Phase.APPLYING):
        return False
    config = await ports.config.read(ports.target.config_key)
    if config.value != release.image:
        return False
    seen = await ports.cluster.observe(ports.target.workload)
    return seen is not None and seen.image == release.image


def _expectation(ports: Ports, release: Release) -> Expectation:
    return Expectation(release.image, release.accepted, ports.target.workload.container)

"""Recover: finish what a dead process left, forward if its image is proven, back otherwise."""

import logging
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, field
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
from slipway.errors import InvalidInput, LeaseLost, PermanentError, SlipwayError, Unproven
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
Finish = Callable[[Ports, Record], Awaitable[None]]
"""How a release ends that had begun to change something."""


@flow(name="recover", flow_run_name="recover the stack of {target}", persist_result=False)
@refusing
async def recover(target: str) -> PrefectState[Any]:
    """Finish every release that a dead process left open at the target's stack.

    Args:
        target: Filled in already: the name of any target of the stack.
    """
    async with connected(target) as ports:
        return worst(await finish_all(ports))


async def finish_all(ports: Ports, dead: Container[str] = ()) -> list[Outcome]:
    """Finish every unfinished release of the target's stack, oldest first, under its lease.

    `dead` are releases whose processes a person knows to have ended: of those that never had the
    lease only their own machine can tell. One that lives after all can save nothing any more.

    Raises what kept one from being finished, once all others are.
    """
    if not await ports.ledger.unfinished(str(ports.target.stack)):
        return []
    async with stack_lease(ports, f"recover-{ports.target.name}") as lease:
        left = await _finish_left(ports, lease.fence, dead=dead)
    await last_words()
    for _, error in left.failed:
        raise error
    return left.finished


async def finish_others(ports: Ports, mine: Release) -> None:
    """Before a release begins to change the stack: nothing else may stand open there.

    Raises when something does that can't be finished yet. A release of a target that is not
    registered any more does not block the stack: that nothing of it is taken along is the guard's.
    """
    left = await _finish_left(ports, mine.fence, but=mine.id)
    standing = [(release, str(error)) for release, error in left.failed]
    standing += [
        (each.release, each.release.reason or "the ledger did not take its end")
        for each in left.finished
        if each.release.is_open and each.release.target not in left.out_of_reach
    ]
    for release, why in standing:
        raise Unproven(
            f"release {release.id} at {release.target} stands open and could not be finished "
            f"({why}): mend that, then slipway recover {release.target}"
        )


@dataclass
class _Left:
    """What has become of the releases that were left open at a stack."""

    finished: list[Outcome] = field(default_factory=list)
    failed: list[tuple[Release, SlipwayError]] = field(default_factory=list)
    out_of_reach: set[str] = field(default_factory=set)
    """Targets that are not registered any more: nobody can look at them."""


async def _finish_left(ports: Ports, fence: int, but: str = "", dead: Container[str] = ()) -> _Left:
    """Finish one after the other: one that can't be finished keeps no other from it."""
    left = _Left()
    for listed in await ports.ledger.unfinished(str(ports.target.stack)):
        if listed.id == but:
            continue
        try:
            outcome = await _finish_if_left(ports, listed.id, fence, left, dead)
        except LeaseLost:
            raise  # ours: nothing more may be finished
        except SlipwayError as error:
            log.warning("release %s at %s is not finished: %s", listed.id, listed.target, error)
            left.failed.append((listed, error))
        else:
            left.finished += [outcome] if outcome else []
    return left


async def _finish_if_left(
    ports: Ports, release: str, fence: int, left: _Left, dead: Container[str]
) -> Outcome | None:
    """Look anew, as finishing others may have taken minutes; None for what has ended meanwhile."""
    now = await ports.ledger.find(release)
    if now is None or not now.is_open or not (now.id in dead or _is_left(ports, now)):
        return None
    try:
        return await _finish(ports, now, fence, left)
    except LeaseLost:
        now = await ports.ledger.find(release)
        if now is not None and now.is_open:
            raise
        return None


def _is_left(ports: Ports, release: Release) -> bool:
    """Whether its process can't go on: it has held the lease, which is ours now, or it has ended.

    Any other may still build its image, or wait for the lease.
    """
    return release.fence > 0 or ports.processes.has_ended(release.worker)


async def _finish(ports: Ports, release: Release, fence: int, left: _Left) -> Outcome | None:
    """Bring one unfinished release to its end, without the memory of the process that died.

    None for one that has come to its end by itself.
    """
    if release.target == ports.target.name:
        return await _finish_at(ports, release, fence, _finish_pinned)
    try:
        theirs = await ports.neighbour(release.target)
    except InvalidInput as error:
        left.out_of_reach.add(release.target)
        return await _finish_at(ports, release, fence, _stays_until_registered(error))
    try:
        return await _finish_at(theirs, release, fence, _finish_pinned)
    finally:
        await theirs.close()


async def _finish_at(ports: Ports, release: Release, fence: int, pinned: Finish) -> Outcome | None:
    """Go on as its process has left it, if it is not over; `pinned` sees to what has changed."""
    record = Record(ports.ledger, release, ports.write_back)
    if not await record.take_over(fence, ports.processes.own()):
        return None
    its = record.release
    log.info("recovering release %s (%s, %s)", its.id, its.state, its.phase)
    if not record.release.phase.reached(Phase.PINNING):
        why = "its process ended before it had changed anything"
        await refuse(record, interrupted(record.release, why))
    else:
        with undisturbed():
            try:
                await pinned(ports, record)
            except SlipwayError as error:
                await leave_open(record, error, _known_cause(record.release) + RECOVERY_FAILED)
    await report_release(record.release, record.durations, record.proof)
    await end_dead_run(record.release)
    return record.outcome


def _stays_until_registered(error: InvalidInput) -> Finish:
    async def finish(_: Ports, record: Record) -> None:
        again = f"slipway recover {record.release.target}"
        raise InvalidInput(f"{error}; when it is there again, {again}")

    return finish


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

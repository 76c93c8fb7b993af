"""Waiting in the line of a stack: rollbacks first, and of a target's deploys only the newest."""

import asyncio
import logging
from collections.abc import Sequence

from slipway.domain.waiting import Waiter, in_order, superseding, to_be_ended
from slipway.errors import Superseded, TransientError
from slipway.ports import Lease, Ports
from slipway.tasks.policies import once
from slipway.tasks.record import Record

log = logging.getLogger(__name__)

LEASE_SECONDS = 15.0
LINE_SECONDS = 5.0
"""How long a place in the line lasts that nobody repeats: less than a lease, so that a release
whose process died never looks like one that still waits."""
ASK_EVERY = 1.0
TRIES = 60
"""How often in a row the ledger may not answer somebody who only waits."""


@once("wait in line for the stack's lease")
async def wait_in_line(ports: Ports, record: Record) -> Lease:
    """Wait, holding nothing, for this release's turn, and take the stack's lease.

    `Superseded` when a newer commit waits for the same target, or a rollback asks this to end.
    """
    failed, told = 0, ""
    while True:
        try:
            lease, ahead = await _take_turn(ports, record)
        except TransientError as error:
            failed += 1
            if failed >= TRIES:
                raise
            log.warning("the line of stack %s can't be seen: %s", ports.target.stack, error)
        else:
            failed = 0
            if lease is not None:
                log.info("lease of stack %s: fence %d", lease.stack, lease.fence)
                return lease
            if ahead != told:
                told = ahead
                log.info("stack %s: waiting for %s", ports.target.stack, ahead)
        await asyncio.sleep(ASK_EVERY)


async def _take_turn(ports: Ports, record: Record) -> tuple[Lease | None, str]:
    """The lease if it is this release's turn, else who is ahead of it."""
    ledger, stack, release = ports.ledger, str(ports.target.stack), record.release
    holding = await living_holder(ports)
    line = await ledger.stand_in_line(release, LINE_SECONDS)
    mine = next(each for each in line if each.release == release.id)
    waiting = [each for each in line if each == mine or each.release != holding]
    await _require_a_point(ports, mine, waiting)
    holder = next((each for each in line if each.release == holding), None)
    if holder is not None and to_be_ended(mine, holder):
        await _ask_to_end(ports, record, holder)
    if holding == release.id:
        return None, "the lease that it has taken unheard: nobody knows its fence, so it runs out"
    first = in_order(waiting)[0]
    if holding or first != mine:
        return None, f"release {holding or first.release}"
    process = ports.processes.own()
    lease = await ledger.acquire(stack, release.id, LEASE_SECONDS, process)
    return lease, "whoever was quicker"


async def living_holder(ports: Ports) -> str:
    """Who holds the stack's lease, empty for nobody: one that is proven dead is let go at once.

    Its place in line first, or it would look like one that still waits. What its `pulumi` still
    does is waited for by whoever comes next, as after any takeover.
    """
    holder = await ports.ledger.holder(str(ports.target.stack))
    if holder is None:
        return ""
    lease, process = holder.lease, holder.process
    if not ports.processes.has_ended(process):
        return lease.holder
    log.info("%s holds stack %s, and is dead (%s)", lease.holder, lease.stack, process)
    await ports.ledger.leave_line(lease.holder)
    await ports.ledger.give_back(lease)
    return ""


async def _require_a_point(ports: Ports, mine: Waiter, waiting: Sequence[Waiter]) -> None:
    """`Superseded` when going on would only be undone."""
    if mine.asked_to_end:
        raise Superseded(mine.asked_to_end)
    commits = {each.commit for each in waiting if each.target == mine.target and each.commit}
    if not commits - {mine.commit}:
        return
    behind = await ports.source.behind(list(commits), ports.target.branch)
    runs = superseding(mine, waiting, behind)
    if runs is not None:
        raise Superseded(
            f"by {runs.commit}, which waits for {mine.target} too (release {runs.release}): "
            "nothing is to be done"
        )


async def _ask_to_end(ports: Ports, record: Record, holder: Waiter) -> None:
    request = record.release.request
    why = (
        f"rollback {record.release.id} of {holder.target} was asked for by "
        f"{request.requested_by} ({request.why or 'without a reason'}): nothing is to be done"
    )
    log.info("asking release %s at %s to end", holder.release, holder.target)
    if await ports.ledger.ask_to_end(holder.release, why):
        record.interrupted = holder.release

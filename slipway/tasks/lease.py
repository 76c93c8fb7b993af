"""The stack's lease: one release at a time may change a stack."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from slipway.errors import LeaseLost, SlipwayError
from slipway.ports import Lease, Ledger, Ports
from slipway.tasks.ownership import require_own_stack
from slipway.tasks.policies import once
from slipway.tasks.record import Record
from slipway.tasks.waiting import (
    ASK_EVERY,
    LEASE_SECONDS,
    LINE_SECONDS,
    living_holder,
    wait_in_line,
)

log = logging.getLogger(__name__)

RENEW_EVERY = 5.0
LISTEN_EVERY = 1.0


@contextlib.asynccontextmanager
async def stack_lease(ports: Ports, holder: str) -> AsyncIterator[Lease]:
    """Hold the lease of a stack of this ledger's, renewed until the context ends.

    Losing it shows where it matters: the next save of the release raises `LeaseLost`, and what is
    no release's asks by `require_held` before each effect. Goes before everybody who waits in
    line: it is for what brings a stack in order.
    """
    lease = await wait_for_lease(ports, holder)
    async with _held(ports, lease):
        await require_own_stack(ports)
        yield lease


async def require_held(ports: Ports, lease: Lease) -> None:
    """`LeaseLost` where somebody else has taken the lease: right before an effect of no release's.

    A release asks by saving itself. Whoever was stopped past its lease has no other warning.
    """
    await ports.ledger.renew(lease, LEASE_SECONDS)


@contextlib.asynccontextmanager
async def held_for(ports: Ports, record: Record) -> AsyncIterator[None]:
    """Hold the stack's lease for a release, in its turn; from now on it carries the lease's fence.

    `Superseded` when another release makes this one pointless while it waits. Leaves the line
    before it gives the lease back: whoever takes it next must not find this one waiting there.
    """
    lease = await _in_turn(ports, record)
    async with _held(ports, lease), _in_line(ports, record):
        await require_own_stack(ports)
        await record.note(fence=lease.fence)
        yield


@once("wait for the stack's lease")
async def wait_for_lease(ports: Ports, holder: str) -> Lease:
    """Wait, holding nothing, until the lease is free, and take it."""
    stack, process = str(ports.target.stack), ports.processes.own()
    told = ""
    while True:
        held_by = await living_holder(ports)
        lease = await ports.ledger.acquire(stack, holder, LEASE_SECONDS, process)
        if lease is not None:
            log.info("lease of stack %s: fence %d", stack, lease.fence)
            return lease
        if held_by not in {"", told}:
            told = held_by
            log.info("stack %s is held by %s: waiting", stack, told)
        await asyncio.sleep(ASK_EVERY)


async def _in_turn(ports: Ports, record: Record) -> Lease:
    try:
        return await wait_in_line(ports, record)
    except BaseException:
        await _leave_line(ports, record)
        raise


@contextlib.asynccontextmanager
async def _in_line(ports: Ports, record: Record) -> AsyncIterator[None]:
    try:
        async with _side_by_side(_listen(ports.ledger, record)):
            yield
    finally:
        await _leave_line(ports, record)


async def _leave_line(ports: Ports, record: Record) -> None:
    with contextlib.suppress(SlipwayError):  # its place runs out by itself
        await ports.ledger.leave_line(record.release.id)


@contextlib.asynccontextmanager
async def _held(ports: Ports, lease: Lease) -> AsyncIterator[None]:
    try:
        async with _side_by_side(_keep(ports.ledger, lease)):
            yield
    finally:
        await _give_back(ports, lease)


async def _give_back(ports: Ports, lease: Lease) -> None:
    try:
        await ports.ledger.give_back(lease)
    except SlipwayError as error:  # whatever was done under it has ended as it has ended
        log.warning("the lease of stack %s is not given back, and runs out: %s", lease.stack, error)


@contextlib.asynccontextmanager
async def _side_by_side(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do something until the context ends."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _keep(ledger: Ledger, lease: Lease) -> None:
    while True:
        await asyncio.sleep(RENEW_EVERY)
        try:
            await ledger.renew(lease, LEASE_SECONDS)
        except LeaseLost:
            return  # the next save says so, where it matters
        except SlipwayError as error:  # also a full disk, which may have space again
            log.warning("the lease of stack %s could not be renewed: %s", lease.stack, error)


async def _listen(ledger: Ledger, record: Record) -> None:
    """Stay in line while holding the lease, where somebody may ask this release to end."""
    while True:
        with contextlib.suppress(SlipwayError):  # heard a second later, or too late to matter
            line = await ledger.stand_in_line(record.release, LINE_SECONDS)
            mine = next((each for each in line if each.release == record.release.id), None)
            if mine is not None and mine.asked_to_end:
                record.ask_to_end(mine.asked_to_end)
        await asyncio.sleep(LISTEN_EVERY)

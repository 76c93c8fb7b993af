"""The stack's lease: one release at a time may change a stack."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from slipway.errors import TransientError
from slipway.ports import Lease, Ledger, Ports
from slipway.tasks.ownership import require_own_stack
from slipway.tasks.policies import once
from slipway.tasks.record import Record

log = logging.getLogger(__name__)

LEASE_SECONDS = 15.0
RENEW_EVERY = 5.0
ASK_EVERY = 1.0


@contextlib.asynccontextmanager
async def stack_lease(ports: Ports, holder: str) -> AsyncIterator[Lease]:
    """Hold the lease of a stack of this ledger's, renewed until the context ends.

    Losing it shows where it matters: the next save of the release raises `LeaseLost`.
    """
    lease = await wait_for_lease(ports, holder)
    renewal = asyncio.create_task(_keep(ports.ledger, lease))
    try:
        await require_own_stack(ports)
        yield lease
    finally:
        renewal.cancel()
        await asyncio.gather(renewal, return_exceptions=True)
        await ports.ledger.give_back(lease)


@contextlib.asynccontextmanager
async def held_for(ports: Ports, record: Record) -> AsyncIterator[None]:
    """Hold the stack's lease for a release, which from now on carries its fence.

    Renewed once the fence is recorded: whoever takes the lease after that finds the release by it.
    """
    async with stack_lease(ports, record.release.id) as lease:
        await record.note(fence=lease.fence)
        await ports.ledger.renew(lease, LEASE_SECONDS)
        yield


@once("wait for the stack's lease")
async def wait_for_lease(ports: Ports, holder: str) -> Lease:
    """Wait, holding nothing, until the lease is free, and take it."""
    stack = str(ports.target.stack)
    told = ""
    while (lease := await ports.ledger.acquire(stack, holder, LEASE_SECONDS)) is None:
        standing = await ports.ledger.holder(stack)
        if standing is not None and standing[0] != told:
            told = standing[0]
            log.info("stack %s is held by release %s: waiting", stack, told)
        await asyncio.sleep(ASK_EVERY)
    log.info("lease of stack %s: fence %d", stack, lease.fence)
    return lease


async def _keep(ledger: Ledger, lease: Lease) -> None:
    while True:
        await asyncio.sleep(RENEW_EVERY)
        try:
            await ledger.renew(lease, LEASE_SECONDS)
        except TransientError as error:
            log.warning("the lease of stack %s could not be renewed: %s", lease.stack, error)

"""Whose stack it is: two ledgers never both believe that they hold it."""

import logging

from slipway.domain.takeover import Takeover
from slipway.errors import AnotherLedger
from slipway.ports import Ports
from slipway.tasks.policies import repeatable

log = logging.getLogger(__name__)


@repeatable("see whose stack it is")
async def require_own_stack(ports: Ports) -> None:
    """Refuse a stack that names another ledger; one that names none is given ours."""
    ours = await ports.ledger.identity()
    _require(ports, ours, await ports.stack.claim(ours))


async def check_own_stack(ports: Ports) -> None:
    """Refuse a stack that names another ledger. Changes nothing."""
    ours = await ports.ledger.identity()
    _require(ports, ours, await ports.stack.ledger() or ours)


async def adopt_stack(ports: Ports, by: str, reason: str) -> Takeover | None:
    """Take the stack over from the ledger it names; None when it is ours already."""
    ours, theirs = await ports.ledger.identity(), await ports.stack.ledger()
    if theirs == ours:
        return None
    takeover = Takeover(str(ports.target.stack), theirs, by, reason)
    await ports.ledger.record_takeover(takeover)
    _require(ports, ours, await ports.stack.claim(ours, instead_of=theirs))
    log.warning("stack %s is this ledger's now (%s): %s", takeover.stack, ours, reason)
    return takeover


def _require(ports: Ports, ours: str, named: str) -> None:
    if named == ours:
        return
    stack = ports.target.stack
    raise AnotherLedger(
        f"stack {stack} belongs to ledger {named}, and this is ledger {ours}: set "
        "SLIPWAY_LEDGER_URL to the ledger that knows its releases, or, if that one is gone for "
        f"good, slipway ledger adopt {stack} --reason …"
    )

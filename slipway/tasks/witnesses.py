"""Witnesses: what stands outside the ledger of its journals."""

from slipway.domain.journal import Anchor, Flaw, flaws, unknown
from slipway.ports import Ledger, Ports
from slipway.tasks.policies import repeatable
from slipway.tasks.program import anchor_of

UPDATES = 200
"""Newest updates of a stack that are asked for where the journals of their releases stood."""


@repeatable("ask the stack's history")
async def witnesses(ports: Ports) -> list[Anchor]:
    """Where the journals stood when their releases updated the stack, as its history tells."""
    name, stack = await ports.ledger.identity(), str(ports.target.stack)
    told = [anchor_of(each, name, stack) for each in await ports.stack.history(UPDATES)]
    return [each for each in told if each is not None]


async def all_flaws(ledger: Ledger, anchors: list[Anchor]) -> tuple[int, list[Flaw]]:
    """How many journals were read, and everything that is not as it was written."""
    found: list[Flaw] = []
    read: list[str] = []
    async for chain in ledger.chains():
        read.append(chain.release)
        found += flaws(chain, anchors)
    return len(read), found + unknown(anchors, read)

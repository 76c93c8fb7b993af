"""One of several processes that use the same ledger at once: `python -m tests.ledger.contender`.

Arguments: the ledger's file, a name, how many turns. Waits for a line on its input, so that all
start together, and prints one JSON line a turn.
"""

import asyncio
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from slipway.domain.release import Phase
from slipway.ledger.sql import SqlLedger
from slipway.ports import Ledger
from tests.ledger.examples import STACK, TINY, a_request, a_target, eventually, sqlite_at

LONG = 60.0


async def main(path: Path, name: str, turns: int) -> None:
    ledger = SqlLedger(sqlite_at(path))
    for turn in range(turns):
        sys.stdout.write(json.dumps(await take_turn(ledger, name, abandon=turn % 2 == 1)) + "\n")


async def take_turn(ledger: Ledger, name: str, *, abandon: bool) -> dict[str, object]:
    """Take the lease, save a release under it, and give it back or let it run out."""
    lease = await eventually(lambda: ledger.acquire(STACK, name, LONG))
    begun = time.monotonic()
    release = await ledger.open(a_target(), a_request())
    await ledger.save(replace(release.at(Phase.RESOLVED), fence=lease.fence))
    ended = time.monotonic()
    if abandon:
        await ledger.renew(lease, TINY)
    else:
        await ledger.give_back(lease)
    return {"fence": lease.fence, "begun": begun, "ended": ended, "abandoned": abandon}


if __name__ == "__main__":
    sys.stdin.readline()
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))

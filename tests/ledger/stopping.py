"""A process that stops itself in a transaction of a ledger: `python -m tests.ledger.stopping`.

Arguments: the ledger's URL, the release that has the lease, and whether to `save` or to `renew`.
It stops (SIGSTOP) when all is written and nothing is committed. Once somebody lets it go on, it
prints what has become of that, and of trying the same again, a line each.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import SecretStr
from sqlalchemy.engine import Connection

from slipway.domain.release import Phase
from slipway.errors import SlipwayError
from slipway.ledger.engines import Engine
from slipway.ledger.settings import LedgerSettings
from slipway.ledger.sql import SqlLedger
from slipway.ports import Lease

T = TypeVar("T")


class StopsOnce:
    """An engine whose next transaction stops the process before it commits."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stopped = False

    async def run(self, work: Callable[[Connection], T], **options: Any) -> T:
        def work_and_stop(connection: Connection) -> T:
            done = work(connection)
            if not self._stopped:
                self._stopped = True
                os.kill(os.getpid(), signal.SIGSTOP)
            return done

        return await self._engine.run(work_and_stop, **options)

    async def close(self) -> None:
        await self._engine.close()


async def main(url: str, name: str, what: str) -> None:
    ledger = SqlLedger(LedgerSettings(url=SecretStr(url)))
    release = await ledger.find(name)
    assert release is not None
    ledger._database._engine = StopsOnce(ledger._database._engine)
    for _ in range(2):
        try:
            if what == "save":
                await ledger.save(release.at(Phase.APPLYING))
            else:
                await ledger.renew(Lease(release.stack, release.id, release.fence), 15)
        except SlipwayError as error:
            sys.stdout.write(f"{type(error).__name__}\n")
        else:
            sys.stdout.write("committed\n")
    await asyncio.sleep(0)  # asyncpg's transports close their sockets in the loop's next turn


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

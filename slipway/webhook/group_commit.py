"""Puts deliveries that arrive at the same time on disk by one commit.

A commit waits for the disk, however little is in it: deliveries that arrive while one is under way
share the next (docs/decisions/webhook-receiver.md has the numbers).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from slipway.domain.delivery import Delivery, Receipt
from slipway.errors import Unreachable
from slipway.ports import Inbox

log = logging.getLogger(__name__)

AT_ONCE = 256
PAUSES = (0.05, 0.5)
"""Seconds between attempts while senders wait; a sender gives up after ten."""


class Overloaded(Exception):
    """More deliveries wait for the disk than may."""


@dataclass(slots=True)
class GroupCommit:
    """Gives each delivery its receipt once it is on disk."""

    inbox: Inbox
    most_waiting: int
    _waiting: deque[tuple[Delivery, asyncio.Future[Receipt]]] = field(default_factory=deque)
    _writing: asyncio.Task[None] | None = None

    async def keep(self, delivery: Delivery) -> Receipt:
        """Wait until the delivery is on disk; `Overloaded` or an error when it is not."""
        if len(self._waiting) >= self.most_waiting:
            raise Overloaded(f"{len(self._waiting)} deliveries wait for the disk")
        receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, receipt))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await receipt

    async def _write(self) -> None:
        """Commit what waits, group by group, until nothing does."""
        try:
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
                await self._commit(group)
        finally:
            self._writing = None

    async def _commit(self, group: Sequence[tuple[Delivery, asyncio.Future[Receipt]]]) -> None:
        try:
            receipts = await self._receive([delivery for delivery, _ in group])
        except Exception as error:  # noqa: BLE001 - each waiter raises it, defects too
            for _, waiter in group:
                if not waiter.done():
                    waiter.set_exception(error)
        else:
            for (_, waiter), receipt in zip(group, receipts, strict=True):
                if not waiter.done():
                    waiter.set_result(receipt)

    async def _receive(self, deliveries: Sequence[Delivery]) -> Sequence[Receipt]:
        receive = self.inbox.receive
        for pause in PAUSES:
            try:
                return await receive(deliveries)
            except Unreachable as error:
                log.warning("%s: trying again in %g s", error, pause)
                await asyncio.sleep(pause)
                receive = self._receive_again
        return await receive(deliveries)

    async def _receive_again(self, deliveries: Sequence[Delivery]) -> Sequence[Receipt]:
        receipts = await self.inbox.receive(deliveries)
        return [*_with_those_of_before(deliveries, receipts)]


def _with_those_of_before(
    deliveries: Sequence[Delivery], receipts: Sequence[Receipt]
) -> Iterator[Receipt]:
    """The receipts of another attempt, where the one before may have been kept without an answer.

    What is kept under its own id is taken for that attempt's. Where it was a redelivery, its target
    is looked at in vain, which is better than to let a new one lie.
    """
    seen: set[str] = set()
    for delivery, receipt in zip(deliveries, receipts, strict=True):
        is_its_own = receipt.delivery == delivery.id and delivery.id not in seen
        seen.add(delivery.id)
        yield replace(receipt, is_new=receipt.is_new or is_its_own)

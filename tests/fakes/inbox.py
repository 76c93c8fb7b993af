"""The webhook's inbox in memory."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import String

from slipway.domain.delivery import (
    WORKFLOW_RUN,
    AtTarget,
    Delivery,
    Ending,
    IntendedStart,
    Outcome,
    Push,
    PushAt,
    Receipt,
    ReceivedDelivery,
    ReceivedPush,
    StartedRun,
    Waiting,
)
from slipway.errors import SlipwayError
from slipway.ledger.tables import delivery as deliveries

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class MemoryInbox:
    """The `Inbox` port on a list; `failures` are raised by the next calls of `receive`.

    So are `lost_answers`, after the call has kept what it was given.
    """

    kept: list[ReceivedDelivery] = field(default_factory=list)
    open: dict[tuple[int, str], PushAt] = field(default_factory=dict)
    firsts: dict[str, Delivery] = field(default_factory=dict)
    """By id and by digest."""
    endings: dict[tuple[int, str], tuple[Ending, datetime]] = field(default_factory=dict)
    waits_for: dict[tuple[int, str], str] = field(default_factory=dict)
    attempts: dict[tuple[int, str], int] = field(default_factory=dict)
    intended: dict[tuple[int, str], str] = field(default_factory=dict)
    groups: list[int] = field(default_factory=list)
    failures: list[SlipwayError] = field(default_factory=list)
    lost_answers: list[SlipwayError] = field(default_factory=list)
    clock: Callable[[], datetime] | None = None
    """Its database's, where that has one."""

    async def receive(self, deliveries: Sequence[Delivery]) -> Sequence[Receipt]:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        self.groups.append(len(deliveries))
        receipts = [self._keep(each) for each in deliveries]
        if self.lost_answers:
            raise self.lost_answers.pop(0)
        return receipts

    async def waiting(self, target: str = "") -> Sequence[PushAt]:
        return [each for each in self.open.values() if target in {"", each.target}]

    async def waiting_elsewhere(self, targets: Collection[str]) -> Sequence[Waiting]:
        return [
            Waiting(
                each,
                (self._now() - self.kept[each.number].received).total_seconds(),
                self.waits_for.get((each.number, each.target), ""),
            )
            for each in self.open.values()
            if each.target not in targets
        ]

    async def settle(self, waiting: Sequence[PushAt], ending: Ending) -> None:
        for each in waiting:
            if (each.number, each.target) not in self.intended:
                await self.end_doubt(each, ending)

    async def put_off(self, waiting: Sequence[PushAt], why: str) -> None:
        for each in waiting:
            self.waits_for[each.number, each.target] = why

    async def intend(self, start: IntendedStart) -> bool:
        key = (start.push.number, start.push.target)
        ended = self.endings.get(key)
        run = start.lost and start.lost.run
        if (ended and ended[0].run) != run or key in self.intended:
            return False
        self.intended[key] = start.key
        return True

    async def in_doubt(self, target: str) -> Sequence[IntendedStart]:
        return [
            IntendedStart(
                _push_at(number, self.kept[number].delivery, at),
                key,
                self._started((number, at)) if (number, at) in self.endings else None,
            )
            for (number, at), key in sorted(self.intended.items())
            if at == target
        ]

    async def end_doubt(self, push: PushAt, ending: Ending) -> None:
        key = (push.number, push.target)
        if key in self.open:
            self.endings[key] = ending, self._now()
            self.open.pop(key)
            self.intended.pop(key, None)

    async def started(self, target: str, limit: int = 100) -> Sequence[StartedRun]:
        found = [
            self._started(key)
            for key, (ending, _) in reversed(self.endings.items())
            if key[1] == target and ending.outcome in {Outcome.STARTED, Outcome.HELD} and ending.run
        ]
        return found[:limit]

    async def started_again(self, lost: StartedRun, run: str) -> None:
        for key, (ending, when) in self.endings.items():
            if key[1] == lost.push.target and ending.run == lost.run:
                reason = f"{ending.reason}; run {lost.run} was lost with its worker"
                self.endings[key] = replace(ending, run=run, reason=reason), when
                self.attempts[key] = lost.attempt + 1
                self.intended.pop(key, None)

    async def remark(self, started: StartedRun, words: str) -> None:
        for key, (ending, when) in self.endings.items():
            if key[1] == started.push.target and ending.run == started.run:
                self.endings[key] = replace(ending, reason=f"{ending.reason}; {words}"), when

    async def pushes(self, repository: str, branch: str, limit: int = 100) -> Sequence[Push]:
        found = [
            push
            for kept in reversed(self.kept)
            if (push := kept.delivery.push) is not None
            and kept.delivery.repository.lower() == repository.lower()
            and push.branch == branch
            and kept.delivery.event != WORKFLOW_RUN
        ]
        return found[:limit]

    async def received_at(self, target: str, limit: int = 100) -> Sequence[ReceivedPush]:
        found = [
            ReceivedPush(_push_at(number, each.delivery, target), self._at(number, target).ending)
            for number, each in reversed([*enumerate(self.kept)])
            if target in each.delivery.targets and each.delivery.id in self.firsts
        ]
        return found[:limit]

    async def known(self, ids: Sequence[str]) -> frozenset[str]:
        return frozenset(ids) & set(self.firsts)

    async def recent(self, limit: int = 100) -> Sequence[ReceivedDelivery]:
        known = [each for each in enumerate(self.kept) if each[1].delivery.id in self.firsts]
        numbered = known[::-1][:limit]
        return [
            ReceivedDelivery(
                kept.delivery,
                kept.received,
                tuple(self._at(number, target) for target in sorted(kept.delivery.targets)),
            )
            for number, kept in numbered
        ]

    async def forget(self, older_than: float, limit: int) -> int:
        newest = {
            (each.delivery.repository.lower(), each.delivery.push.branch): number
            for number, each in enumerate(self.kept)
            if each.delivery.push is not None and each.delivery.event != WORKFLOW_RUN
        }
        builds = {
            target: number
            for number, each in enumerate(self.kept)
            if each.delivery.event == WORKFLOW_RUN
            for target in each.delivery.targets
        }
        waiting = {number for number, _ in self.open}
        before = self._now() - timedelta(seconds=older_than)
        forgotten = [
            number
            for number, each in enumerate(self.kept)
            if each.delivery.id in self.firsts
            and each.received < before
            and number not in waiting
            and number not in {*newest.values(), *builds.values()}
        ][:limit]
        for number in forgotten:
            gone = self.kept[number].delivery
            for key in (gone.id, gone.digest):
                self.firsts.pop(key, None)
        return len(forgotten)

    async def count_waiting(self) -> int:
        return len(await self.waiting())

    def _keep(self, delivery: Delivery) -> Receipt:
        for name in ("id", "digest", "event"):
            # As PostgreSQL does, and SQLite does not.
            if len(getattr(delivery, name)) > _length(name):
                raise ValueError(f"{name} {getattr(delivery, name)} is too long for its column")
        first = self.firsts.get(delivery.id) or self.firsts.get(delivery.digest)
        if first is not None:
            return Receipt(first.id, is_new=False, ignored=first.ignored)
        self.firsts.update({delivery.id: delivery, delivery.digest: delivery})
        number = len(self.kept)
        self.kept.append(ReceivedDelivery(delivery, self._now()))
        for target in sorted(delivery.targets if delivery.push else ()):
            self.open[number, target] = _push_at(number, delivery, target)
        return Receipt(delivery.id, is_new=True, ignored=delivery.ignored)

    def _started(self, key: tuple[int, str]) -> StartedRun:
        ending, when = self.endings[key]
        push = _push_at(key[0], self.kept[key[0]].delivery, key[1])
        return StartedRun(push, ending.run, when, self.attempts.get(key, 1))

    def _at(self, number: int, target: str) -> AtTarget:
        if (number, target) in self.endings:
            return AtTarget(target, self.endings[number, target][0])
        return AtTarget(target, None, self.waits_for.get((number, target), ""))

    def _now(self) -> datetime:
        if self.clock is not None:
            return self.clock()
        return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())


def _length(name: str) -> int:
    kind = deliveries.c[name].type
    assert isinstance(kind, String)
    assert kind.length is not None
    return kind.length


def _push_at(number: int, delivery: Delivery, target: str) -> PushAt:
    assert delivery.push is not None
    return PushAt(
        number,
        delivery.id,
        target,
        delivery.event,
        delivery.repository,
        delivery.sender,
        delivery.push,
    )

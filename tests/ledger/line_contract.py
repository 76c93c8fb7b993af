"""What every ledger promises of the line in which releases wait for a stack."""

from dataclasses import replace

from slipway.domain.release import Kind, Release
from slipway.ports import Ledger
from tests.ledger.examples import COMMIT, STACK, TINY, a_request, a_target, until


async def opened(ledger: Ledger, target: str = "adapter-prod", stack: str = "prod") -> Release:
    return await ledger.open(a_target(target, stack), a_request())


async def in_line(ledger: Ledger, release: Release, seconds: float = 60) -> list[str]:
    return [each.release for each in await ledger.stand_in_line(release, seconds)]


class LineContract:
    async def test_a_line_is_in_order_of_request_however_late_one_joins(
        self, ledger: Ledger
    ) -> None:
        first, second, third = [await opened(ledger) for _ in range(3)]

        assert await in_line(ledger, second) == [second.id]
        assert await in_line(ledger, third) == [second.id, third.id]
        assert await in_line(ledger, first) == [first.id, second.id, third.id]
        assert await in_line(ledger, second) == [first.id, second.id, third.id]

    async def test_who_waits_is_told_with_all_that_decides_the_order(self, ledger: Ledger) -> None:
        rollback = await ledger.open(a_target(), a_request(Kind.ROLLBACK))
        deploy = await ledger.save(replace(await opened(ledger, "sink-prod"), commit=COMMIT))
        await ledger.stand_in_line(rollback, 60)

        first, second = await ledger.stand_in_line(deploy, 60)

        assert (first.release, first.kind, first.commit) == (rollback.id, Kind.ROLLBACK, None)
        assert (second.target, second.stack, second.commit) == ("sink-prod", STACK, COMMIT)
        assert first.place < second.place
        assert (first.asked_to_end, second.asked_to_end) == ("", "")

    async def test_every_stack_has_its_own_line(self, ledger: Ledger) -> None:
        here, there = await opened(ledger), await opened(ledger, stack="dev")
        await ledger.stand_in_line(there, 60)

        assert await in_line(ledger, here) == [here.id]

    async def test_who_leaves_is_out_of_the_line(self, ledger: Ledger) -> None:
        first, second = await opened(ledger), await opened(ledger)
        await ledger.stand_in_line(first, 60)

        await ledger.leave_line(first.id)
        await ledger.leave_line(first.id)

        assert await in_line(ledger, second) == [second.id]

    async def test_who_does_not_repeat_itself_is_left_out_and_may_come_back(
        self, ledger: Ledger
    ) -> None:
        dead, alive = await opened(ledger), await opened(ledger)
        await ledger.stand_in_line(dead, TINY)

        async def alone() -> bool:
            return await in_line(ledger, alive) == [alive.id]

        await until(alone)

        assert await in_line(ledger, dead) == [dead.id, alive.id]

    async def test_a_release_in_line_can_be_asked_to_end_once(self, ledger: Ledger) -> None:
        release = await opened(ledger)
        assert not await ledger.ask_to_end(release.id, "too early")
        await ledger.stand_in_line(release, 60)

        assert await ledger.ask_to_end(release.id, "superseded by 2222222")
        assert await ledger.ask_to_end(release.id, "something else")

        [waiter] = await ledger.stand_in_line(release, 60)
        assert waiter.asked_to_end == "superseded by 2222222"

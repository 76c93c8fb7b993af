"""What every ledger promises of holds and vetoes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from slipway.domain.commit import Commit
from slipway.domain.hold import NewHold, NewVeto
from slipway.domain.takeover import Takeover
from slipway.ports import Ledger
from tests.ledger.examples import COMMIT, STACK, a_request, a_target, until

OTHER_COMMIT = Commit("9" * 40)


class RestrictionsContract:
    async def test_takeovers_of_a_stack_are_kept_in_order(self, ledger: Ledger) -> None:
        first = Takeover(STACK, "another", "ada", "that one burned down")
        second = Takeover(STACK, "", "bob", "once more")

        await ledger.record_takeover(first)
        await ledger.record_takeover(second)

        assert await ledger.takeovers(STACK) == [first, second]
        assert await ledger.takeovers("acme/cluster/dev") == []

    async def test_a_hold_stands_at_its_target_until_it_is_lifted(self, ledger: Ledger) -> None:
        placed = await ledger.place_hold("adapter-prod", NewHold("freeze", "ada", about=COMMIT))

        assert (placed.reason, placed.by, placed.about) == ("freeze", "ada", COMMIT)
        assert (placed.until, placed.release, placed.lifted) == (None, "", None)
        assert placed.since.tzinfo is not None
        assert await ledger.holds("adapter-prod") == [placed]
        assert await ledger.holds("sink-prod") == []

        await ledger.lift_hold(placed.number, "bob", "mended")
        await ledger.lift_hold(placed.number, "eve", "a second time changes nothing")

        assert await ledger.holds("adapter-prod") == []
        [over] = await ledger.holds("adapter-prod", ever=True)
        assert over.lifted is not None
        assert (over.lifted.by, over.lifted.why) == ("bob", "mended")
        assert over.lifted.at >= placed.since
        assert replace(over, lifted=None) == placed

    async def test_holds_stand_beside_each_other_oldest_first(self, ledger: Ledger) -> None:
        first = await ledger.place_hold("adapter-prod", NewHold("slow", "ada"))
        second = await ledger.place_hold("adapter-prod", NewHold("freeze", "bob"))

        assert await ledger.holds("adapter-prod") == [first, second]
        await ledger.lift_hold(first.number, "bob", "mended")
        assert await ledger.holds("adapter-prod") == [second]

    async def test_a_hold_ends_by_itself_at_its_end(self, ledger: Ledger) -> None:
        release = await ledger.open(a_target(), a_request())
        soon = release.started + timedelta(seconds=0.5)
        await ledger.place_hold("adapter-prod", NewHold("weekend", "ada", soon))
        later = datetime(2126, 1, 1, tzinfo=UTC)
        standing = await ledger.place_hold("adapter-prod", NewHold("freeze", "ada", later))

        async def one_is_over() -> bool:
            return await ledger.holds("adapter-prod") == [standing]

        await until(one_is_over)
        assert standing.until == later

    async def test_a_veto_forbids_one_commit_at_one_target(self, ledger: Ledger) -> None:
        placed = await ledger.place_veto("adapter-prod", NewVeto(COMMIT, "it crashes", "ada"))
        other = await ledger.place_veto("adapter-prod", NewVeto(OTHER_COMMIT, "slow", "bob"))

        assert (placed.commit, placed.reason, placed.by) == (COMMIT, "it crashes", "ada")
        assert await ledger.vetoes("adapter-prod") == [placed, other]
        assert await ledger.vetoes("sink-prod") == []

    async def test_a_second_veto_of_a_commit_is_the_first_one(self, ledger: Ledger) -> None:
        placed = await ledger.place_veto("adapter-prod", NewVeto(COMMIT, "it crashes", "ada"))

        again = await ledger.place_veto("adapter-prod", NewVeto(COMMIT, "it still does", "bob"))

        assert again == placed
        assert await ledger.vetoes("adapter-prod") == [placed]

    async def test_a_releases_veto_that_was_lifted_does_not_come_back_with_it(
        self, ledger: Ledger
    ) -> None:
        release = await ledger.open(a_target(), a_request())
        bad = NewVeto(COMMIT, "it crashes", "slipway")
        release = await ledger.save(release, bad)
        [placed] = await ledger.vetoes("adapter-prod")
        await ledger.lift_veto(placed.number, "ada", "the cluster was at fault")

        await ledger.save(release, bad)

        assert await ledger.vetoes("adapter-prod") == []

    async def test_a_lifted_veto_can_be_placed_anew(self, ledger: Ledger) -> None:
        placed = await ledger.place_veto("adapter-prod", NewVeto(COMMIT, "it crashes", "ada"))
        await ledger.lift_veto(placed.number, "bob", "the cluster was at fault")
        assert await ledger.vetoes("adapter-prod") == []

        again = await ledger.place_veto("adapter-prod", NewVeto(COMMIT, "it does crash", "ada"))

        assert again.number != placed.number
        assert await ledger.vetoes("adapter-prod") == [again]
        [over, _] = await ledger.vetoes("adapter-prod", ever=True)
        assert over.lifted is not None
        assert (over.lifted.by, over.lifted.why) == ("bob", "the cluster was at fault")

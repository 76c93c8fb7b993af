"""What every ledger promises of journals."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from slipway.domain.hold import Lift, NewHold, NewVeto
from slipway.domain.journal import Chain, EntryKind, Head, flaws, folded, head_of, intent, observed
from slipway.domain.release import Phase, Release, State
from slipway.errors import LeaseLost
from slipway.ledger.rows import release_from
from slipway.ports import Ledger
from tests.ledger.examples import BASELINE, COMMIT, IMAGE, a_request, a_target


async def require_whole(ledger: Ledger, release: Release) -> None:
    """The journal is unbroken, ends where the release says, and tells what the release is."""
    entries = await ledger.journal(release.id)
    told = folded(entries)
    assert flaws(Chain(release.id, release.journal, told, entries)) == []
    head = head_of(entries)
    row = {**told, "journal_length": head.length, "journal_head": head.hash}
    assert release_from(row) == release


class JournalContract:
    async def test_a_release_is_what_its_journal_tells(self, ledger: Ledger) -> None:
        release = await ledger.open(a_target(), a_request())
        await require_whole(ledger, release)
        pinned = replace(release, baseline=BASELINE, fence=2, commit=COMMIT).at(Phase.PINNED)
        pinned = await ledger.save(pinned)
        await require_whole(ledger, pinned)
        ended = await ledger.save(pinned.to(State.RESTORING, "disproven: it crashes"))
        ended = await ledger.save(ended.to(State.RESTORED))
        await require_whole(ledger, ended)

    async def test_an_adopted_release_has_a_journal_too(self, ledger: Ledger) -> None:
        await require_whole(ledger, await ledger.adopt(a_target(), IMAGE, frozenset()))

    async def test_when_a_step_was_first_tried_is_told_of_what_has_ended_since(
        self, ledger: Ledger
    ) -> None:
        ends = []
        for again in (False, True):
            release = await ledger.open(a_target(), a_request())
            release = await ledger.save(replace(release, fence=1), intent("pin"))
            release = await ledger.save(release, intent("up", fence=1))
            release = await ledger.save(release, *[intent("up", fence=1)] * again)
            ends.append(await ledger.save(release.to(State.LIVE)))
        still_open = await ledger.open(a_target(), a_request())
        await ledger.save(still_open, intent("up"))

        tried = await ledger.first_tried("adapter-prod", "up", ends[0].started)

        assert tried.keys() == {each.id for each in ends}
        for each in ends:
            ups = [e.at for e in await ledger.journal(each.id) if e.facts.get("step") == "up"]
            assert tried[each.id].timestamp() == pytest.approx(min(ups), abs=1e-5)
        assert ends[1].ended is not None
        assert (await ledger.first_tried("adapter-prod", "up", ends[1].ended)).keys() <= {
            each.id for each in ends
        }
        later = ends[1].ended + timedelta(seconds=1)
        assert await ledger.first_tried("adapter-prod", "up", later) == {}
        assert await ledger.first_tried("another", "up", ends[0].started) == {}

    async def test_intent_and_observation_stand_in_order_with_their_facts(
        self, ledger: Ledger
    ) -> None:
        release = await ledger.open(a_target(), a_request())

        release = await ledger.save(
            replace(release, fence=3).at(Phase.PINNING), intent("pin", value="née", revision=7)
        )
        release = await ledger.save(replace(release, esc_revision=8), observed("pin", revision=8))

        entries = await ledger.journal(release.id)
        assert [(each.kind, each.fence) for each in entries] == [
            (EntryKind.STATE, 0),
            (EntryKind.STATE, 3),
            (EntryKind.INTENT, 3),
            (EntryKind.STATE, 3),
            (EntryKind.OBSERVATION, 3),
        ]
        assert entries[2].facts == {"step": "pin", "value": "née", "revision": 7}
        assert entries[3].facts == {"esc_revision": 8}
        assert entries[4].facts == {"step": "pin", "revision": 8}
        assert [each.number for each in entries] == [1, 2, 3, 4, 5]
        times = [each.at for each in entries]
        assert times == sorted(times)
        assert release.journal == Head(5, entries[-1].hash)
        await require_whole(ledger, release)

    async def test_saving_what_is_saved_already_writes_nothing(self, ledger: Ledger) -> None:
        release = await ledger.open(a_target(), a_request())

        again = await ledger.save(release)

        assert again.journal == release.journal
        assert len(await ledger.journal(release.id)) == 1

    async def test_an_intent_alone_is_written_and_checks_the_fence(self, ledger: Ledger) -> None:
        release = await ledger.open(a_target(), a_request())
        release = await ledger.save(replace(release, fence=2), intent("push"))

        with pytest.raises(LeaseLost):
            await ledger.save(replace(release, fence=1), intent("push again"))

        assert [each.kind for each in await ledger.journal(release.id)] == [
            EntryKind.STATE,
            EntryKind.STATE,
            EntryKind.INTENT,
        ]
        await require_whole(ledger, release)

    async def test_a_refused_save_leaves_neither_hold_nor_veto(self, ledger: Ledger) -> None:
        release = await ledger.open(a_target(), a_request())
        await ledger.save(replace(release, fence=2))

        with pytest.raises(LeaseLost):
            await ledger.save(release, NewHold("slow", "ada"), NewVeto(COMMIT, "crashes", "ada"))

        assert await ledger.holds(release.target) == []
        assert await ledger.vetoes(release.target) == []

    async def test_a_hold_and_a_veto_come_with_the_save_that_says_why(self, ledger: Ledger) -> None:
        release = await ledger.open(a_target(), a_request())
        until = datetime(2126, 1, 1, tzinfo=UTC)

        release = await ledger.save(
            release.to(State.LIVE),
            NewHold("it is slow", "ada", until, COMMIT),
            NewVeto(COMMIT, "it crashes", "slipway"),
        )

        [hold] = await ledger.holds(release.target)
        [veto] = await ledger.vetoes(release.target)
        assert (hold.reason, hold.by, hold.until, hold.about, hold.release) == (
            "it is slow",
            "ada",
            until,
            COMMIT,
            release.id,
        )
        assert (veto.commit, veto.reason, veto.by, veto.release) == (
            COMMIT,
            "it crashes",
            "slipway",
            release.id,
        )
        kinds = [each.kind for each in await ledger.journal(release.id)]
        assert kinds[-3:] == [EntryKind.STATE, EntryKind.HOLD, EntryKind.VETO]
        await require_whole(ledger, release)

    async def test_a_hold_ends_with_the_save_that_overcomes_it_and_only_once(
        self, ledger: Ledger
    ) -> None:
        hold = await ledger.place_hold("adapter-prod", NewHold("it is slow", "ada"))
        release = await ledger.open(a_target(), a_request())

        live = await ledger.save(release.to(State.LIVE), Lift(hold.number, "bob", "mended"))
        await ledger.save(live, Lift(hold.number, "eve", "its answer was lost"))

        assert await ledger.holds("adapter-prod") == []
        [over] = await ledger.holds("adapter-prod", ever=True)
        assert over.lifted is not None
        assert (over.lifted.by, over.lifted.why) == ("bob", "mended")
        told = (await ledger.journal(release.id))[-2]
        facts = {"step": "lift hold", "hold": hold.number, "by": "bob", "why": "mended"}
        assert (told.kind, told.facts) == (EntryKind.OBSERVATION, facts)

    async def test_a_refused_save_lifts_nothing(self, ledger: Ledger) -> None:
        hold = await ledger.place_hold("adapter-prod", NewHold("it is slow", "ada"))
        release = await ledger.open(a_target(), a_request())
        await ledger.save(replace(release, fence=2))

        with pytest.raises(LeaseLost):
            await ledger.save(release.to(State.LIVE), Lift(hold.number, "bob", "mended"))

        assert await ledger.holds("adapter-prod") == [hold]

    async def test_a_release_holds_its_target_once_however_often_it_is_saved(
        self, ledger: Ledger
    ) -> None:
        release = await ledger.open(a_target(), a_request())
        live = await ledger.save(release.to(State.LIVE), NewHold("it is slow", "ada"))

        await ledger.save(live, NewHold("it is slow", "ada"))

        assert len(await ledger.holds(release.target)) == 1

    async def test_every_chain_is_given_in_order_of_request_and_has_no_flaw(
        self, ledger: Ledger
    ) -> None:
        opened = [await ledger.open(a_target(), a_request()) for _ in range(3)]
        await ledger.save(replace(opened[0], fence=1, baseline=BASELINE).to(State.REFUSED, "no: x"))
        opened.append(await ledger.adopt(a_target("sink-prod"), IMAGE, frozenset()))

        chains = [each async for each in ledger.chains()]

        assert [each.release for each in chains] == [each.id for each in opened]
        assert [len(each.entries) for each in chains] == [2, 1, 1, 1]
        assert [flaws(each) for each in chains] == [[]] * 4

    async def test_a_journal_nobody_wrote_is_empty(self, ledger: Ledger) -> None:
        assert await ledger.journal("elsewhere") == []

    async def test_each_release_has_a_chain_of_its_own(self, ledger: Ledger) -> None:
        first = await ledger.open(a_target(), a_request())
        second = await ledger.open(a_target(), a_request())
        first = await ledger.save(first, intent("build"))
        second = await ledger.save(second, intent("build"))

        for each in (first, second):
            assert {entry.release for entry in await ledger.journal(each.id)} == {each.id}
            await require_whole(ledger, each)

"""What every ledger promises; the SQL ledger and the one in memory pass the same tests."""

import asyncio
from abc import ABC, abstractmethod
from dataclasses import replace

import pytest

from slipway.domain.candidate import proven_live
from slipway.domain.commit import Commit
from slipway.domain.image import Digest, ImageReference
from slipway.domain.journal import intent
from slipway.domain.process import ProcessIdentity
from slipway.domain.release import Baseline, Kind, Phase, Release, State
from slipway.errors import InvalidInput, LeaseLost, ReleaseChanged, TagConflict
from slipway.ports import Lease, Ledger, LeftOpen
from tests.ledger.examples import (
    BASELINE,
    COMMIT,
    DIGEST,
    IMAGE,
    INPUTS,
    OTHER,
    STACK,
    TINY,
    a_request,
    a_target,
    eventually,
)
from tests.ledger.findings_contract import FindingsContract
from tests.ledger.journal_contract import JournalContract
from tests.ledger.line_contract import LineContract
from tests.ledger.restrictions_contract import RestrictionsContract

A_PROCESS = ProcessIdentity("worker-1", "b00t", 7, 123456)


class LedgerContract(FindingsContract, JournalContract, LineContract, RestrictionsContract, ABC):
    """Subclasses give the ledger under test; every test starts with an empty one."""

    @pytest.fixture
    @abstractmethod
    def ledger(self) -> Ledger: ...

    @abstractmethod
    async def set_clock_back(self, ledger: Ledger) -> None:
        """Set the database's clock an hour back."""

    async def saved(self, ledger: Ledger, *steps: State, reason: str = "") -> Release:
        release = await ledger.open(a_target(), a_request())
        for state in steps:
            release = await ledger.save(release.to(state, reason))
        return release

    async def test_a_new_release_is_releasing_and_opened(self, ledger: Ledger) -> None:
        release = await ledger.open(a_target(), a_request())

        assert (release.state, release.phase) == (State.RELEASING, Phase.OPENED)
        assert (release.target, release.stack) == ("adapter-prod", STACK)
        assert release.request == a_request()
        assert release.started.tzinfo is not None
        assert release.ended is None
        assert release.live_since is None
        assert await ledger.history("adapter-prod") == [release]

    async def test_every_field_comes_back_as_it_was_saved(self, ledger: Ledger) -> None:
        opened = await ledger.open(a_target(), a_request(Kind.ROLLBACK))
        full = replace(
            opened,
            phase=Phase.PINNED,
            reason="note: something",
            commit=COMMIT,
            digest=DIGEST,
            image=str(IMAGE),
            accepted=frozenset({DIGEST, OTHER}),
            program=Commit("3" * 40),
            baseline=BASELINE,
            esc_revision=8,
            update_version=42,
            previous_digest=OTHER,
            fence=3,
            unproven=True,
            notes=("replicas differ", "a tag is foreign"),
            worker=ProcessIdentity("worker-1", "b00t", 4711, 123456),
            engine=ProcessIdentity("worker-1", "b00t", 4712, 123499),
        )

        saved = await ledger.save(full)

        assert saved == full
        assert await ledger.history("adapter-prod") == [full]

    async def test_absence_in_a_baseline_stays_absence(self, ledger: Ledger) -> None:
        release = await ledger.open(a_target(), a_request())
        nothing = Baseline(1, "", None, None, None, None, 0)

        await ledger.save(replace(release, baseline=nothing))

        assert (await ledger.history("adapter-prod"))[0].baseline == nothing

    async def test_ids_differ_and_history_is_newest_first(self, ledger: Ledger) -> None:
        opened = [await ledger.open(a_target(), a_request()) for _ in range(5)]
        await ledger.open(a_target("sink-prod"), a_request())

        history = await ledger.history("adapter-prod")

        assert history == opened[::-1]
        assert len({each.id for each in opened}) == 5
        assert await ledger.history("adapter-prod", limit=2) == opened[:2:-1]
        assert await ledger.history("nobody") == []

    async def test_the_history_is_whole_unless_a_limit_is_given(self, ledger: Ledger) -> None:
        """The way back may be older than a hundred releases that came to nothing."""
        opened = [await ledger.open(a_target(), a_request()) for _ in range(101)]

        assert await ledger.history("adapter-prod") == opened[::-1]

    async def test_saving_keeps_a_release_in_its_place_of_the_history(self, ledger: Ledger) -> None:
        first = await ledger.open(a_target(), a_request())
        second = await ledger.open(a_target(), a_request())

        first = await ledger.save(first.at(Phase.RESOLVED))

        assert await ledger.history("adapter-prod") == [second, first]

    async def test_the_end_has_its_time_and_only_live_is_live(self, ledger: Ledger) -> None:
        live = await self.saved(ledger, State.LIVE)
        refused = await self.saved(ledger, State.REFUSED)

        assert live.ended is not None
        assert live.ended >= live.started
        assert live.live_since == live.ended
        assert refused.ended is not None
        assert refused.live_since is None

    async def test_saving_an_end_again_keeps_its_times(self, ledger: Ledger) -> None:
        live = await self.saved(ledger, State.LIVE)

        again = await ledger.save(replace(live, reason="live: said again", ended=None))

        assert (again.ended, again.live_since) == (live.ended, live.live_since)
        assert again.reason == "live: said again"

    async def test_who_was_live_later_is_ordered_later_although_the_clock_was_set_back(
        self, ledger: Ledger
    ) -> None:
        """By these times a rollback finds its way back."""
        first = await self.saved(ledger, State.LIVE)
        await self.set_clock_back(ledger)
        second = await self.saved(ledger, State.LIVE)
        adopted = await ledger.adopt(a_target(), IMAGE, frozenset({DIGEST}))
        third = await self.saved(ledger, State.LIVE)

        newest = await ledger.history("adapter-prod")
        assert [each.id for each in proven_live(newest)] == [
            each.id for each in (third, adopted, second, first)
        ]
        times = [each.live_since for each in newest]
        assert len(set(times)) == 4

    async def test_the_times_of_another_target_change_nothing(self, ledger: Ledger) -> None:
        other = await ledger.open(replace(a_target(), name="sink-prod"), a_request())
        other = await ledger.save(other.to(State.LIVE))
        await self.set_clock_back(ledger)

        live = await self.saved(ledger, State.LIVE)

        [other] = await ledger.history("sink-prod")
        assert live.live_since is not None
        assert other.live_since is not None
        assert live.live_since < other.live_since

    async def test_an_end_that_recovery_betters_gets_the_new_time(self, ledger: Ledger) -> None:
        unsure = await self.saved(ledger, State.NEEDS_ATTENTION, reason="unproven: cluster is gone")

        restoring = await ledger.save(unsure.to(State.RESTORING))
        restored = await ledger.save(restoring.to(State.RESTORED))

        assert restoring.ended is None
        assert restored.ended is not None
        assert unsure.ended is not None
        assert restored.ended >= unsure.ended

    async def test_a_lower_fence_can_not_save(self, ledger: Ledger) -> None:
        release = await ledger.open(a_target(), a_request())
        newer = await ledger.save(replace(release, fence=2))

        with pytest.raises(LeaseLost, match=release.id):
            await ledger.save(replace(release, fence=1, reason="late: too late"))

        assert await ledger.history("adapter-prod") == [newer]

    async def test_a_release_that_has_lost_the_lease_can_not_save(self, ledger: Ledger) -> None:
        """Even before the new holder has looked at it."""
        first = await ledger.acquire(STACK, "ada", TINY)
        assert first is not None
        opened = await ledger.open(a_target(), a_request())
        release = await ledger.save(replace(opened, fence=first.fence))
        second = await eventually(lambda: ledger.acquire(STACK, "bob", 60))

        with pytest.raises(LeaseLost, match=release.id):
            await ledger.save(replace(release, reason="late: too late"))

        assert await ledger.history("adapter-prod") == [release]
        await ledger.save(replace(release, fence=second.fence))

    async def test_an_end_for_good_is_not_undone_by_anybody(self, ledger: Ledger) -> None:
        release = await ledger.open(a_target(), a_request())
        restored = await ledger.save(
            replace(release.to(State.RESTORING).to(State.RESTORED), fence=1)
        )

        for fence in (1, 2):
            with pytest.raises(LeaseLost, match="restored"):
                await ledger.save(replace(restored, state=State.LIVE, fence=fence))

        assert await ledger.history("adapter-prod") == [restored]

    async def test_a_takeover_overwrites_nothing_that_was_saved_since_it_has_read(
        self, ledger: Ledger
    ) -> None:
        """As a process saves that was stopped in its transaction, and goes on at last."""
        opened = await ledger.open(a_target(), a_request())
        read = await ledger.save(replace(opened, fence=1).at(Phase.PINNED))
        saved = await ledger.save(read.at(Phase.APPLYING), intent("up"))
        told = await ledger.journal(opened.id)

        with pytest.raises(ReleaseChanged, match=opened.id):
            await ledger.save(replace(read, fence=2))

        assert await ledger.history("adapter-prod") == [saved]
        assert await ledger.journal(opened.id) == told
        taken = await ledger.save(replace(saved, fence=2))
        assert (taken.phase, taken.fence) == (Phase.APPLYING, 2)

    async def test_a_takeover_does_not_miss_an_entry_that_changed_no_column(
        self, ledger: Ledger
    ) -> None:
        opened = await ledger.open(a_target(), a_request())
        read = await ledger.save(replace(opened, fence=1))
        await ledger.save(read, intent("up"))

        with pytest.raises(ReleaseChanged):
            await ledger.save(replace(read, fence=2))

    async def test_a_holder_that_has_not_heard_of_its_own_save_saves_again(
        self, ledger: Ledger
    ) -> None:
        opened = await ledger.open(a_target(), a_request())
        known = await ledger.save(replace(opened, fence=1))
        await ledger.save(known.at(Phase.RESOLVED))

        again = await ledger.save(known.at(Phase.RESOLVED))

        assert await ledger.history("adapter-prod") == [again]
        assert again.phase is Phase.RESOLVED

    async def test_saving_a_release_of_another_ledger_is_a_defect(self, ledger: Ledger) -> None:
        release = await ledger.open(a_target(), a_request())

        with pytest.raises(LookupError):
            await ledger.save(replace(release, id="elsewhere"))

    async def test_an_adopted_release_is_live_and_automatic(self, ledger: Ledger) -> None:
        adopted = await ledger.adopt(a_target(), IMAGE, frozenset({DIGEST, OTHER}))

        assert (adopted.kind, adopted.state) == (Kind.ADOPTED, State.LIVE)
        assert adopted.live_since == adopted.ended
        assert adopted.ended is not None
        assert adopted.ended >= adopted.started
        assert (adopted.commit, adopted.digest, adopted.image) == (COMMIT, DIGEST, str(IMAGE))
        assert adopted.accepted == {DIGEST, OTHER}
        assert adopted.request.automatic
        assert await ledger.history("adapter-prod") == [adopted]
        assert await ledger.unfinished(STACK) == []

    async def test_unfinished_are_those_without_an_end_oldest_first(self, ledger: Ledger) -> None:
        releasing = await ledger.open(a_target(), a_request())
        for end in (State.LIVE, State.REFUSED, State.NEEDS_ATTENTION):
            await self.saved(ledger, end)
        await self.saved(ledger, State.RESTORING, State.RESTORED)
        restoring = await self.saved(ledger, State.RESTORING)
        await ledger.open(a_target("elsewhere", stack="dev"), a_request())
        sibling = await ledger.open(a_target("sink-prod"), a_request())

        assert await ledger.unfinished(STACK) == [releasing, restoring, sibling]

    async def test_what_other_targets_have_of_a_repository_is_told_newest_first(
        self, ledger: Ledger
    ) -> None:
        """Live and open ones, however their image is written; no repository of a longer name."""

        async def released(target: str, image: str, *steps: State) -> Release:
            release = await ledger.open(a_target(target), a_request())
            release = await ledger.save(replace(release, image=image))
            for state in steps:
                release = await ledger.save(release.to(state))
            return release

        repository = IMAGE.repository
        live = await released("edge", str(IMAGE), State.LIVE)
        by_digest = await released("edge", f"{repository}@{DIGEST}", State.LIVE)
        under_way = await released("lab", f"{repository}:{COMMIT}")
        unsure = await released("lab", str(IMAGE), State.NEEDS_ATTENTION)
        unsure = await ledger.save(replace(unsure, unproven=True))
        for image in ("", f"{repository}-2:x", repository.replace("/", "_") + ":x", "x/y:z"):
            await released("edge", image, State.LIVE)
        await released("edge", str(IMAGE), State.REFUSED)
        await released("edge", str(IMAGE), State.RESTORING, State.RESTORED)
        await released("adapter-prod", str(IMAGE), State.LIVE)

        found = await ledger.elsewhere(repository, {"adapter-prod"})

        assert found == [unsure, under_way, by_digest, live]
        assert await ledger.elsewhere(repository, {"adapter-prod", "edge", "lab"}) == []

    async def test_what_stands_open_is_told_with_who_holds_its_lease(self, ledger: Ledger) -> None:
        held, free = a_target(), a_target("sink-prod", stack="other")
        lease = await ledger.acquire(str(held.stack), "ada", 60, A_PROCESS)
        assert lease is not None
        holder = await ledger.holder(str(held.stack))
        assert holder is not None
        assert (holder.lease, holder.process) == (lease, A_PROCESS)
        under_way = await ledger.open(held, a_request())
        left = await ledger.open(free, a_request())
        ended = await ledger.open(free, a_request())
        await ledger.save(ended.to(State.REFUSED, "held: here"))
        unsure = await ledger.open(free, a_request())
        unsure = await ledger.save(replace(unsure.to(State.NEEDS_ATTENTION), unproven=True))

        found = await ledger.left_open()
        await ledger.give_back(lease)
        then = await ledger.left_open()

        free_ones = [LeftOpen(left, 0), LeftOpen(unsure, 0)]
        assert found == [LeftOpen(under_way, lease.fence, holder), *free_ones]
        assert then == [LeftOpen(under_way, lease.fence), *free_ones]

    async def test_a_lease_that_has_run_out_is_nobodys(self, ledger: Ledger) -> None:
        opened = await ledger.open(a_target(), a_request())
        lease = await eventually(lambda: ledger.acquire(STACK, "ada", TINY))

        async with asyncio.timeout(60):
            while (found := await ledger.left_open()) != [LeftOpen(opened, 1)]:
                [left] = found
                assert left.holder is not None
                assert left.holder.lease == lease
                await asyncio.sleep(TINY / 4)

    async def test_a_lease_tells_the_process_of_its_newest_holder(self, ledger: Ledger) -> None:
        first = await ledger.acquire(STACK, "ada", 60, A_PROCESS)
        assert first is not None
        await ledger.renew(first, 60)
        renewed = await ledger.holder(STACK)
        await ledger.give_back(first)
        another = replace(A_PROCESS, pid=8)
        await ledger.acquire(STACK, "bob", TINY, another)
        taken = await ledger.holder(STACK)
        await eventually(lambda: ledger.acquire(STACK, "eve", 60))
        unknown = await ledger.holder(STACK)

        assert renewed is not None
        assert renewed.process == A_PROCESS
        assert taken is None or taken.process == another
        assert unknown is not None
        assert unknown.process is None

    async def test_an_end_that_is_unproven_is_unfinished_until_it_is_proven(
        self, ledger: Ledger
    ) -> None:
        release = await ledger.open(a_target(), a_request())
        unsure = await ledger.save(replace(release.to(State.NEEDS_ATTENTION), unproven=True))
        assert await ledger.unfinished(STACK) == [unsure]

        await ledger.save(replace(unsure.to(State.LIVE), unproven=False))

        assert await ledger.unfinished(STACK) == []

    async def test_a_release_is_found_by_its_id(self, ledger: Ledger) -> None:
        release = await ledger.open(a_target(), a_request())

        assert await ledger.find(release.id) == release
        assert await ledger.find("elsewhere") is None

    async def test_the_ledger_tells_the_time_that_it_records_by(self, ledger: Ledger) -> None:
        before = await ledger.clock()
        opened = await ledger.open(a_target(), a_request())
        after = await ledger.clock()

        assert before <= opened.started <= after

    async def test_a_ledger_has_one_name(self, ledger: Ledger) -> None:
        name = await ledger.identity()

        assert len(name) == 32
        assert await ledger.identity() == name

    async def test_a_lease_has_one_holder_a_stack(self, ledger: Ledger) -> None:
        lease = await ledger.acquire(STACK, "ada", 60)

        assert lease == Lease(STACK, "ada", 1)
        assert await ledger.acquire(STACK, "bob", 60) is None
        assert await ledger.acquire(STACK, "ada", 60) is None
        assert await ledger.acquire("acme/cluster/dev", "bob", 60) is not None
        held = await ledger.holder(STACK)
        assert held is not None
        assert held.lease == lease
        assert held.until.tzinfo is not None

    async def test_a_lease_given_back_is_free_and_the_fence_goes_on(self, ledger: Ledger) -> None:
        first = await ledger.acquire(STACK, "ada", 60)
        assert first is not None

        await ledger.give_back(first)

        assert await ledger.holder(STACK) is None
        assert await ledger.acquire(STACK, "bob", 60) == Lease(STACK, "bob", 2)

    async def test_a_lease_that_ran_out_is_taken_with_a_higher_fence(self, ledger: Ledger) -> None:
        first = await ledger.acquire(STACK, "ada", TINY)
        assert first is not None

        second = await eventually(lambda: ledger.acquire(STACK, "bob", 60))

        assert second == Lease(STACK, "bob", 2)
        with pytest.raises(LeaseLost, match="ada"):
            await ledger.renew(first, 60)

    async def test_giving_back_a_lease_that_is_somebody_elses_does_nothing(
        self, ledger: Ledger
    ) -> None:
        first = await ledger.acquire(STACK, "ada", TINY)
        assert first is not None
        await eventually(lambda: ledger.acquire(STACK, "bob", 60))

        await ledger.give_back(first)

        held = await ledger.holder(STACK)
        assert held is not None
        assert held.lease.holder == "bob"

    async def test_a_renewed_lease_outlives_its_first_term(self, ledger: Ledger) -> None:
        lease = await ledger.acquire(STACK, "ada", 30)
        assert lease is not None
        before = await ledger.holder(STACK)

        await ledger.renew(lease, 3600)

        after = await ledger.holder(STACK)
        assert before is not None
        assert after is not None
        assert (after.until - before.until).total_seconds() > 3000

    async def test_a_lease_that_ran_out_but_nobody_took_can_be_renewed(
        self, ledger: Ledger
    ) -> None:
        lease = await ledger.acquire(STACK, "ada", 0)
        assert lease is not None
        assert await ledger.holder(STACK) is None

        await ledger.renew(lease, 60)

        assert await ledger.acquire(STACK, "bob", 60) is None

    async def test_a_tags_digest_is_written_once(self, ledger: Ledger) -> None:
        tag = ImageReference(IMAGE.repository, COMMIT.sha)
        assert await ledger.published(tag) is None

        await ledger.record_published(tag, DIGEST)
        await ledger.record_published(tag, DIGEST)

        with pytest.raises(TagConflict, match=OTHER.value):
            await ledger.record_published(tag, OTHER)
        assert await ledger.published(tag) == DIGEST
        assert await ledger.published(ImageReference(IMAGE.repository, "2" * 40)) is None

    async def test_a_tag_whose_image_was_deleted_may_be_published_anew(
        self, ledger: Ledger
    ) -> None:
        tag = ImageReference(IMAGE.repository, COMMIT.sha)
        beside = ImageReference(IMAGE.repository, "2" * 40)
        elsewhere = ImageReference("ghcr.io/acme/sink", COMMIT.sha)
        for each in (tag, beside, elsewhere):
            await ledger.record_published(each, DIGEST, INPUTS)

        await ledger.forget_published(tag, DIGEST)

        assert await ledger.published(tag) is None
        assert set(await ledger.published_tags(IMAGE.repository)) == {beside.tag}
        await ledger.record_published(tag, OTHER)
        assert await ledger.published(tag) == OTHER
        assert await ledger.published_from(IMAGE.repository, INPUTS) == [DIGEST]
        assert [await ledger.published(each) for each in (beside, elsewhere)] == [DIGEST, DIGEST]

    async def test_a_forgotten_tag_is_put_back_exactly_as_it_was(self, ledger: Ledger) -> None:
        tag = ImageReference(IMAGE.repository, COMMIT.sha)
        await ledger.record_published(tag, DIGEST, INPUTS)
        before = await ledger.published_tags(IMAGE.repository)
        assert before[COMMIT.sha].build_inputs == INPUTS
        await ledger.forget_published(tag, DIGEST)

        await ledger.put_back_published(tag, before[COMMIT.sha])

        assert await ledger.published_tags(IMAGE.repository) == before
        assert await ledger.published_from(IMAGE.repository, INPUTS) == [DIGEST]

    async def test_a_tag_that_is_recorded_anew_is_not_put_back(self, ledger: Ledger) -> None:
        tag = ImageReference(IMAGE.repository, COMMIT.sha)
        await ledger.record_published(tag, DIGEST)
        before = await ledger.published_tags(IMAGE.repository)
        await ledger.forget_published(tag, DIGEST)
        await ledger.record_published(tag, OTHER)

        await ledger.put_back_published(tag, before[COMMIT.sha])

        assert await ledger.published(tag) == OTHER

    async def test_of_what_a_registry_refuses_to_delete_the_last_reason_is_told(
        self, ledger: Ledger
    ) -> None:
        repository = IMAGE.repository
        await ledger.record_refusal(repository, DIGEST, "too many downloads")
        await ledger.record_refusal(repository, OTHER, "locked")
        await ledger.record_refusal("ghcr.io/acme/sink", OTHER, "another's")
        before = await ledger.refusals(repository)

        await ledger.record_refusal(repository, DIGEST, "née")

        told = await ledger.refusals(repository)
        assert {digest: each.why for digest, each in told.items()} == {
            DIGEST: "née",
            OTHER: "locked",
        }
        assert told[DIGEST].at >= before[DIGEST].at
        assert await ledger.refusals("ghcr.io/acme/none") == {}

    async def test_another_digest_of_a_tag_than_the_deleted_one_stays_recorded(
        self, ledger: Ledger
    ) -> None:
        tag = ImageReference(IMAGE.repository, COMMIT.sha)
        await ledger.forget_published(tag, OTHER)
        await ledger.record_published(tag, DIGEST, INPUTS)

        await ledger.forget_published(tag, OTHER)

        assert await ledger.published(tag) == DIGEST
        assert await ledger.published_from(IMAGE.repository, INPUTS) == [DIGEST]

    async def test_images_built_from_the_same_inputs_are_found_newest_first_and_each_once(
        self, ledger: Ledger
    ) -> None:
        digests = [DIGEST, DIGEST, OTHER, Digest("sha256:" + "c" * 64)]
        inputs = [INPUTS, INPUTS, INPUTS, "f" * 64]
        for digit, digest in enumerate(digests):
            tag = ImageReference(IMAGE.repository, str(digit) * 40)
            await ledger.record_published(tag, digest, inputs[digit])
        elsewhere = ImageReference("ghcr.io/acme/shop/sink", "a" * 40)
        await ledger.record_published(elsewhere, Digest("sha256:" + "d" * 64), INPUTS)

        assert await ledger.published_from(IMAGE.repository, INPUTS) == [OTHER, DIGEST]
        assert await ledger.published_from("ghcr.io/acme/shop/none", INPUTS) == []

    async def test_what_an_image_was_built_from_may_be_told_later_but_once(
        self, ledger: Ledger
    ) -> None:
        tag = ImageReference(IMAGE.repository, COMMIT.sha)
        await ledger.record_published(tag, DIGEST)
        assert await ledger.published_from(IMAGE.repository, INPUTS) == []

        await ledger.record_published(tag, DIGEST, INPUTS)
        await ledger.record_published(tag, DIGEST, "f" * 64)
        await ledger.record_published(tag, DIGEST)

        assert await ledger.published_from(IMAGE.repository, INPUTS) == [DIGEST]
        assert await ledger.published_from(IMAGE.repository, "f" * 64) == []

    async def test_another_digest_tells_nothing_of_what_the_recorded_one_was_built_from(
        self, ledger: Ledger
    ) -> None:
        tag = ImageReference(IMAGE.repository, COMMIT.sha)
        await ledger.record_published(tag, DIGEST)

        with pytest.raises(TagConflict):
            await ledger.record_published(tag, OTHER, INPUTS)

        assert await ledger.published_from(IMAGE.repository, INPUTS) == []

    async def test_every_tag_of_a_repository_is_told_with_its_digest(self, ledger: Ledger) -> None:
        await ledger.record_published(ImageReference(IMAGE.repository, COMMIT.sha), DIGEST)
        await ledger.record_published(ImageReference(IMAGE.repository, "2" * 40), OTHER)
        await ledger.record_published(ImageReference("ghcr.io/acme/sink", COMMIT.sha), OTHER)

        tags = await ledger.published_tags(IMAGE.repository)

        digests = {tag: each.digest for tag, each in tags.items()}
        assert digests == {COMMIT.sha: DIGEST, "2" * 40: OTHER}
        assert all(each.at.tzinfo is not None for each in tags.values())
        assert await ledger.published_tags("ghcr.io/acme/none") == {}

    async def test_only_tags_are_recorded(self, ledger: Ledger) -> None:
        with pytest.raises(InvalidInput, match="tag"):
            await ledger.record_published(ImageReference(IMAGE.repository), DIGEST)

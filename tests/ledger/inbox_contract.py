"""What every inbox promises; the SQL inbox and the one in memory pass the same tests."""

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import pytest

from slipway.domain.commit import Commit
from slipway.domain.delivery import (
    AtTarget,
    Delivery,
    Ending,
    IntendedStart,
    Outcome,
    Push,
    Receipt,
    ReceivedPush,
)
from slipway.ports import Inbox

BEFORE, AFTER = Commit("1" * 40), Commit("2" * 40)
PUSH = Push("main", BEFORE, AFTER)


def a_delivery(name: str = "first", *targets: str, body: str = "", push: Push = PUSH) -> Delivery:
    digest = hashlib.sha256((body or name).encode()).hexdigest()
    at = targets or ("adapter-prod",)
    return Delivery(f"id-{name}", digest, "push", "acme/shop", "ada", push, at)


PING = Delivery("id-ping", "p" * 64, "ping", "", "", ignored="ping: the receiver works")


class InboxContract(ABC):
    """Subclasses give the inbox under test; every test starts with an empty one."""

    @pytest.fixture
    @abstractmethod
    def inbox(self) -> Inbox: ...

    async def test_what_was_received_waits_at_each_target_in_order(self, inbox: Inbox) -> None:
        one, two = a_delivery("one", "a", "b"), a_delivery("two", "b")

        receipts = await inbox.receive([one, two])

        assert receipts == [Receipt("id-one", True, ""), Receipt("id-two", True, "")]
        waiting = await inbox.waiting()
        assert [(each.delivery, each.target) for each in waiting] == [
            ("id-one", "a"),
            ("id-one", "b"),
            ("id-two", "b"),
        ]
        assert waiting[0].number < waiting[2].number
        assert (waiting[0].push, waiting[0].repository, waiting[0].sender) == (
            PUSH,
            "acme/shop",
            "ada",
        )
        assert await inbox.count_waiting() == 3
        assert await inbox.waiting("b") == waiting[1:]
        assert await inbox.waiting("c") == []

    async def test_what_is_ignored_is_kept_and_waits_for_nothing(self, inbox: Inbox) -> None:
        [receipt] = await inbox.receive([PING])

        assert receipt == Receipt("id-ping", is_new=True, ignored=PING.ignored)
        assert await inbox.waiting() == []
        [kept] = await inbox.recent()
        assert (kept.delivery, kept.at) == (PING, ())

    async def test_the_same_id_again_is_the_first_delivery(self, inbox: Inbox) -> None:
        await inbox.receive([a_delivery("one")])

        [again] = await inbox.receive([a_delivery("one", body="something else")])

        assert again == Receipt("id-one", is_new=False, ignored="")
        assert await inbox.count_waiting() == 1

    async def test_the_same_body_under_a_new_id_is_the_first_delivery(self, inbox: Inbox) -> None:
        await inbox.receive([a_delivery("one", body="the body")])

        [replayed] = await inbox.receive([a_delivery("two", body="the body")])

        assert replayed == Receipt("id-one", is_new=False, ignored="")
        assert [each.delivery.id for each in await inbox.recent()] == ["id-one"]

    async def test_a_group_may_hold_the_same_delivery_twice(self, inbox: Inbox) -> None:
        one, two = a_delivery("one", "a", "b"), a_delivery("two", "a", "b")

        receipts = await inbox.receive([one, two, one, a_delivery("three", body="two"), two])

        assert [(each.delivery, each.is_new) for each in receipts] == [
            ("id-one", True),
            ("id-two", True),
            ("id-one", False),
            ("id-two", False),
            ("id-two", False),
        ]
        assert await inbox.count_waiting() == 4

    async def test_the_same_delivery_at_once_is_kept_once(self, inbox: Inbox) -> None:
        receipts = await asyncio.gather(*(inbox.receive([a_delivery("one")]) for _ in range(20)))

        assert sum(receipt.is_new for [receipt] in receipts) == 1
        assert {receipt.delivery for [receipt] in receipts} == {"id-one"}
        assert await inbox.count_waiting() == 1

    async def test_it_knows_the_ids_under_which_something_is_kept(self, inbox: Inbox) -> None:
        await inbox.receive([a_delivery("one"), PING])
        others = [f"id-{number}" for number in range(2500)]

        assert await inbox.known(["id-one", *others, "id-ping"]) == {"id-one", "id-ping"}
        assert await inbox.known([]) == frozenset()

    async def test_an_outcome_ends_the_waiting_at_its_target_only(self, inbox: Inbox) -> None:
        await inbox.receive([a_delivery("one", "a", "b")])
        [at_a, at_b] = await inbox.waiting()
        ending = Ending(Outcome.STARTED, "deploy 2222222", run="0b8e")

        await inbox.settle([at_a], ending)

        assert await inbox.waiting() == [at_b]
        [kept] = await inbox.recent()
        assert kept.at == (AtTarget("a", ending), AtTarget("b", None))

    async def test_the_first_outcome_stays(self, inbox: Inbox) -> None:
        await inbox.receive([a_delivery("one")])
        waiting = await inbox.waiting()
        first = Ending(Outcome.SUPERSEDED, "by a newer push")
        await inbox.settle(waiting, first)

        await inbox.settle(waiting, Ending(Outcome.REFUSED, "too late"))
        await inbox.put_off(waiting, "too late, too")

        [kept] = await inbox.recent()
        assert kept.at == (AtTarget("adapter-prod", first),)

    async def test_what_waits_elsewhere_tells_for_how_long_and_for_what(self, inbox: Inbox) -> None:
        await inbox.receive([a_delivery("one", "a", "b", "c"), a_delivery("two", "b")])
        waiting = await inbox.waiting()
        [at_a, at_b, at_c, _] = waiting
        await inbox.settle([at_c], Ending(Outcome.UNCHANGED, "README.md"))
        await inbox.put_off([at_b], "Prefect does not answer")
        await asyncio.sleep(0.01)

        elsewhere = await inbox.waiting_elsewhere(["a"])

        assert [(each.push, each.why) for each in elsewhere] == [
            (at_b, "Prefect does not answer"),
            (waiting[3], ""),
        ]
        assert 0.005 < elsewhere[0].seconds < 3600
        assert [each.push for each in await inbox.waiting_elsewhere(["b"])] == [at_a]
        assert len(await inbox.waiting_elsewhere([])) == 3

    async def test_who_looks_sees_what_a_delivery_waits_for(self, inbox: Inbox) -> None:
        await inbox.receive([a_delivery("one")])

        await inbox.put_off(await inbox.waiting(), "Prefect does not answer")

        [kept] = await inbox.recent()
        assert kept.at == (AtTarget("adapter-prod", None, "Prefect does not answer"),)
        assert await inbox.count_waiting() == 1

    async def test_another_run_takes_the_place_of_a_lost_one_wherever_that_is_named(
        self, inbox: Inbox
    ) -> None:
        await inbox.receive([a_delivery("one", "a", "b"), a_delivery("two", "a")])
        [one_a, one_b, two_a] = await inbox.waiting()
        await inbox.settle([one_a], Ending(Outcome.STARTED, "started", "0b8e"))
        await inbox.settle([one_b], Ending(Outcome.STARTED, "started", "0b8e"))
        await inbox.settle([two_a], Ending(Outcome.SUPERSEDED, "superseded: by run 0b8e", "0b8e"))
        [lost] = await inbox.started("a")
        assert (lost.push, lost.commit, lost.run, lost.attempt) == (one_a, AFTER, "0b8e", 1)

        await inbox.started_again(lost, "77c1")
        await inbox.started_again(lost, "9d02")  # by another process, too late

        [again] = await inbox.started("a")
        assert again == replace(lost, run="77c1", attempt=2)
        [at_b] = await inbox.started("b")
        assert (at_b.run, at_b.attempt) == ("0b8e", 1)
        two, one = await inbox.recent()
        for each in (one.at[0], two.at[0]):
            assert each.ending is not None
            assert each.ending.run == "77c1"
            assert "run 0b8e was lost" in each.ending.reason
        assert two.at[0].ending is not None
        assert two.at[0].ending.outcome is Outcome.SUPERSEDED

    async def test_words_about_a_run_are_added_wherever_it_is_named_at_its_target(
        self, inbox: Inbox
    ) -> None:
        await inbox.receive([a_delivery("one", "a", "b"), a_delivery("two", "a")])
        [one_a, one_b, two_a] = await inbox.waiting()
        await inbox.settle([one_a], Ending(Outcome.STARTED, "started", "0b8e"))
        await inbox.settle([one_b], Ending(Outcome.STARTED, "started", "0b8e"))
        await inbox.settle([two_a], Ending(Outcome.SUPERSEDED, "superseded: by run 0b8e", "0b8e"))
        [started] = await inbox.started("a")

        await inbox.remark(started, "it was withdrawn")

        two, one = await inbox.recent()
        reasons = [each.ending.reason for each in (*one.at, *two.at) if each.ending]
        assert reasons == [
            "started; it was withdrawn",
            "started",
            "superseded: by run 0b8e; it was withdrawn",
        ]
        assert await inbox.started("a") == [started]

    async def test_a_start_is_in_doubt_until_the_delivery_is_given_its_run(
        self, inbox: Inbox
    ) -> None:
        await inbox.receive([a_delivery("one", "a", "b")])
        [at_a, at_b] = await inbox.waiting()
        start = IntendedStart(at_a, "the key")
        assert await inbox.in_doubt("a") == []

        assert await inbox.intend(start)

        assert await inbox.in_doubt("a") == [start]
        assert await inbox.in_doubt("b") == []
        assert await inbox.waiting() == [at_a, at_b]
        await inbox.end_doubt(at_a, Ending(Outcome.STARTED, "started", "0b8e"))
        await inbox.end_doubt(at_a, Ending(Outcome.REFUSED, "too late"))
        assert await inbox.in_doubt("a") == []
        assert [each.run for each in await inbox.started("a")] == ["0b8e"]

    async def test_one_whose_start_is_in_doubt_ends_by_no_word_about_others(
        self, inbox: Inbox
    ) -> None:
        await inbox.receive([a_delivery("one", "a"), a_delivery("two", "a")])
        [one, two] = await inbox.waiting()
        await inbox.intend(IntendedStart(one, "the key"))

        await inbox.settle([one, two], Ending(Outcome.SUPERSEDED, "by a newer push"))
        await inbox.put_off([one], "Prefect does not answer")

        assert await inbox.waiting() == [one]
        newest, oldest = await inbox.recent()
        assert newest.at[0].ending is not None
        assert oldest.at == (AtTarget("a", None, "Prefect does not answer"),)

    async def test_one_process_starts_what_another_has_not_ended_or_begun(
        self, inbox: Inbox
    ) -> None:
        await inbox.receive([a_delivery("one", "a"), a_delivery("two", "a")])
        [one, two] = await inbox.waiting()
        await inbox.settle([two], Ending(Outcome.SUPERSEDED, "by a newer push"))

        assert not await inbox.intend(IntendedStart(two, "the key"))
        results = await asyncio.gather(
            *(inbox.intend(IntendedStart(one, "the key")) for _ in range(5))
        )

        assert sorted(results) == [False] * 4 + [True]
        assert len(await inbox.in_doubt("a")) == 1

    async def test_the_next_attempt_is_in_doubt_until_it_has_taken_the_lost_runs_place(
        self, inbox: Inbox
    ) -> None:
        await inbox.receive([a_delivery("one", "a")])
        [one] = await inbox.waiting()
        await inbox.intend(IntendedStart(one, "the key"))
        await inbox.end_doubt(one, Ending(Outcome.STARTED, "started", "0b8e"))
        [lost] = await inbox.started("a")
        again = IntendedStart(one, "the next key", lost)

        assert await inbox.intend(again)

        assert await inbox.in_doubt("a") == [again]
        assert await inbox.started("a") == [lost]
        await inbox.started_again(lost, "77c1")
        assert await inbox.in_doubt("a") == []
        assert not await inbox.intend(again)

    async def test_started_runs_are_newest_first_and_of_one_target(self, inbox: Inbox) -> None:
        await inbox.receive([a_delivery("one", "a", "b")])
        await inbox.receive([a_delivery("two", "a", push=Push("main", AFTER, Commit("3" * 40)))])
        await inbox.receive([a_delivery("three", "a")])
        at_a = [each for each in await inbox.waiting() if each.target == "a"]
        for each, run in zip(at_a, ("run-1", "run-2"), strict=False):
            await inbox.settle([each], Ending(Outcome.STARTED, "", run))
        await inbox.settle(at_a[2:], Ending(Outcome.UNCHANGED, "only README.md"))

        started = await inbox.started("a")

        assert [(each.run, each.commit) for each in started] == [
            ("run-2", Commit("3" * 40)),
            ("run-1", AFTER),
        ]
        assert started[0].started >= started[1].started
        assert await inbox.started("a", limit=1) == started[:1]
        assert await inbox.started("b") == []

    async def test_a_held_delivery_has_started_a_run_only_where_it_names_one(
        self, inbox: Inbox
    ) -> None:
        await inbox.receive([a_delivery("one", "a"), a_delivery("two", "a")])
        published, waits_for_a_person = await inbox.waiting()
        await inbox.settle([published], Ending(Outcome.HELD, "held: it is night", "run-1"))
        await inbox.settle([waits_for_a_person], Ending(Outcome.HELD, "history-rewritten: …"))

        assert [each.run for each in await inbox.started("a")] == ["run-1"]

    async def test_the_end_of_a_workflow_waits_as_what_it_is_and_is_no_push(
        self, inbox: Inbox
    ) -> None:
        run = replace(a_delivery("run"), event="workflow_run")
        await inbox.receive([a_delivery("push"), run])

        assert [each.event for each in await inbox.waiting()] == ["push", "workflow_run"]
        assert await inbox.pushes("acme/shop", "main") == [PUSH]

    async def test_what_was_received_at_a_target_is_its_own_newest_first(
        self, inbox: Inbox
    ) -> None:
        later = Push("main", None, Commit("3" * 40))
        run, next_one = a_delivery("run", "a"), a_delivery("next", "a", "b", push=later)
        await inbox.receive([a_delivery("push", "a", "b"), replace(run, event="workflow_run")])
        await inbox.receive([replace(next_one, event="workflow_run")])

        def commits(found: Sequence[ReceivedPush]) -> list[tuple[str, Commit]]:
            return [(each.push.event, each.push.push.after) for each in found]

        run_of = "workflow_run"
        everything = [(run_of, later.after), (run_of, PUSH.after), ("push", PUSH.after)]
        assert commits(await inbox.received_at("a")) == everything
        assert commits(await inbox.received_at("a", limit=1)) == everything[:1]
        assert commits(await inbox.received_at("b")) == [everything[0], everything[2]]

    async def test_what_was_received_at_a_target_says_how_it_ended(self, inbox: Inbox) -> None:
        await inbox.receive([a_delivery("one", "a", "b"), a_delivery("two", "a")])
        [first, _, _] = await inbox.waiting()
        ending = Ending(Outcome.REFUSED, "not-on-main-line: gone")
        await inbox.settle([first], ending)

        newest, oldest = await inbox.received_at("a")
        assert (newest.ending, oldest.ending) == (None, ending)
        assert (newest.never_arrived, oldest.never_arrived) == (False, True)
        assert oldest.push == first
        assert [each.ending for each in await inbox.received_at("b")] == [None]

    async def test_what_ended_long_ago_is_forgotten_a_few_at_a_time(self, inbox: Inbox) -> None:
        several = [a_delivery(str(number), "a", "b") for number in range(5)]
        await inbox.receive([*several, PING, a_delivery("newest")])
        await inbox.settle(await inbox.waiting(), Ending(Outcome.SUPERSEDED, "by a newer push"))
        await asyncio.sleep(0.01)

        assert await inbox.forget(3600, 100) == 0
        assert [await inbox.forget(0.005, 4) for _ in range(3)] == [4, 2, 0]

        assert [each.delivery.id for each in await inbox.recent()] == ["id-newest"]
        [receipt] = await inbox.receive([PING])
        assert receipt.is_new

    async def test_what_waits_at_a_target_is_never_forgotten(self, inbox: Inbox) -> None:
        await inbox.receive([a_delivery("one", "a", "b"), a_delivery("two", "a")])
        [at_a, at_b, _] = await inbox.waiting()
        await inbox.settle([at_a], Ending(Outcome.SUPERSEDED, "by a newer push"))
        await asyncio.sleep(0.01)

        assert await inbox.forget(0.005, 100) == 0

        assert at_b in await inbox.waiting()

    async def test_the_newest_push_of_each_branch_is_never_forgotten(self, inbox: Inbox) -> None:
        elsewhere = Push("next", None, AFTER)
        await inbox.receive([a_delivery("one"), a_delivery("next", push=elsewhere)])
        await inbox.receive([a_delivery("two")])
        await inbox.settle(await inbox.waiting(), Ending(Outcome.UNCHANGED, "README.md"))
        await asyncio.sleep(0.01)

        assert await inbox.forget(0.005, 100) == 1

        assert {each.delivery.id for each in await inbox.recent()} == {"id-next", "id-two"}
        assert await inbox.pushes("acme/shop", "next") == [elsewhere]

    async def test_the_newest_end_of_a_workflow_is_never_forgotten_at_any_target(
        self, inbox: Inbox
    ) -> None:
        runs = [a_delivery("one", "a", "b"), a_delivery("two", "a"), a_delivery("three", "a")]
        await inbox.receive([replace(each, event="workflow_run") for each in runs])
        await inbox.settle(await inbox.waiting(), Ending(Outcome.UNCHANGED, "README.md"))
        await asyncio.sleep(0.01)

        assert await inbox.forget(0.005, 100) == 1

        assert {each.delivery.id for each in await inbox.recent()} == {"id-one", "id-three"}

    async def test_pushes_are_those_of_the_branch_newest_first(self, inbox: Inbox) -> None:
        later, elsewhere = Push("main", AFTER, Commit("3" * 40)), Push("next", None, AFTER)
        await inbox.receive([a_delivery("one"), PING, a_delivery("next", push=elsewhere)])
        await inbox.receive([a_delivery("two", push=later)])

        assert await inbox.pushes("Acme/Shop", "main") == [later, PUSH]
        assert await inbox.pushes("acme/shop", "main", limit=1) == [later]
        assert await inbox.pushes("acme/other", "main") == []

    async def test_recent_deliveries_are_newest_first(self, inbox: Inbox) -> None:
        names = [f"n{number}" for number in range(5)]
        await inbox.receive([a_delivery(name) for name in names])

        recent = await inbox.recent(3)

        assert [each.delivery.id for each in recent] == ["id-n4", "id-n3", "id-n2"]
        assert recent[0].received.tzinfo is not None
        assert recent[0].delivery.push == PUSH

    async def test_a_branch_that_was_made_has_no_commit_before(self, inbox: Inbox) -> None:
        await inbox.receive([a_delivery("one", push=Push("main", None, AFTER))])

        [waiting] = await inbox.waiting()
        assert waiting.push.before is None

    async def test_thousands_are_settled_at_once(self, inbox: Inbox) -> None:
        await inbox.receive([a_delivery(f"n{number}") for number in range(1500)])

        await inbox.settle(await inbox.waiting(), Ending(Outcome.SUPERSEDED, "by a newer push"))

        assert await inbox.count_waiting() == 0

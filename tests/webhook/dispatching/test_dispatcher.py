"""From deliveries to runs: each ends in exactly one outcome, and nothing that waits is lost."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from slipway.domain.commit import Commit
from slipway.domain.delivery import Ending, Outcome, PushAt
from slipway.domain.hold import NewHold, NewVeto
from slipway.domain.release import State
from slipway.domain.write_back import CommitState
from slipway.errors import AccessDenied, Unreachable
from slipway.webhook import dispatcher
from slipway.webhook.dispatcher import LONGEST_PAUSE
from slipway.webhook.facts import RECENT
from slipway.webhook.last_run import BEGUN_WITHIN
from tests.webhook.dispatching.post import ADAPTER, SINK, Post, dispatching

STARTED, SUPERSEDED, UNCHANGED = Outcome.STARTED, Outcome.SUPERSEDED, Outcome.UNCHANGED
HOUR = 3600.0


async def under_way(post: Post, commit: Commit) -> None:
    """A worker has taken the first run, and its release is open."""
    post.runs.take_all()
    await post.release(commit, State.RELEASING, run="run-1")


async def test_a_push_starts_a_run_of_its_targets_deployment() -> None:
    post = Post()
    async with dispatching(post):
        second = post.commit("second", "adapter/main")
        await post.receive(second, name="delivery-two")
        await asyncio.sleep(0.1)

    assert post.outcomes() == [STARTED]
    [(key, (deployment, parameters))] = post.runs.made.items()
    assert deployment == f"deploy/{ADAPTER}"
    assert parameters == {
        "commit": second.sha,
        "target": ADAPTER,
        "requested_by": "github:ada",
        "why": "push to main (delivery delivery-two)",
        "options": {"automatic": True},
    }
    assert ADAPTER in key
    assert second.sha in key
    assert (await post.inbox.started(ADAPTER))[0].run == "run-1"


async def test_a_push_that_the_build_can_not_see_starts_nothing_and_names_the_files() -> None:
    post = Post()
    await post.release(post.first, State.LIVE)
    async with dispatching(post):
        await post.receive(post.commit("words", "adapter/README.md", "sink/main"))
        await asyncio.sleep(0.1)

    assert post.outcomes() == [UNCHANGED]
    assert post.reason().endswith("adapter/README.md, sink/main")
    assert not post.runs.made


async def test_each_target_of_a_push_has_its_own_outcome() -> None:
    post = Post(targets=(ADAPTER, SINK))
    await post.release(post.first, State.LIVE, target=ADAPTER)
    await post.release(post.first, State.LIVE, target=SINK)
    async with dispatching(post):
        await post.receive(post.commit("second", "sink/main"))
        await asyncio.sleep(0.1)

    assert (post.outcomes(ADAPTER), post.outcomes(SINK)) == ([UNCHANGED], [STARTED])


async def test_a_burst_of_ten_pushes_is_built_at_most_twice_and_ends_at_the_newest() -> None:
    post = Post()
    async with dispatching(post):
        for number in range(10):
            await post.receive(post.commit(f"push {number}", "adapter/main"))
            await asyncio.sleep(1)
        assert len(post.runs.commits(ADAPTER)) == 1
        post.runs.end_all()
        await asyncio.sleep(10)

    assert post.outcomes() == [STARTED, *[SUPERSEDED] * 8, STARTED]
    assert post.runs.commits(ADAPTER)[-1] == post.git.branches["main"]


async def test_an_older_push_that_arrives_after_a_newer_one_is_superseded() -> None:
    post = Post()
    older, newer = (post.commit(name, "adapter/main") for name in ("older", "newer"))
    async with dispatching(post):
        await post.receive(newer, before=post.first)
        await asyncio.sleep(1)
        await post.release(newer, State.LIVE, run="run-1")
        await post.receive(older)
        await asyncio.sleep(5)

    assert post.outcomes() == [STARTED, SUPERSEDED]


async def test_an_older_push_after_a_newer_run_that_failed_is_superseded_too() -> None:
    post = Post()
    older, newer = (post.commit(name, "adapter/main") for name in ("older", "newer"))
    async with dispatching(post):
        await post.receive(newer, before=post.first)
        await asyncio.sleep(1)
        await post.release(newer, State.REFUSED, run="run-1")
        await post.receive(older)
        await asyncio.sleep(5)

    assert post.outcomes() == [STARTED, SUPERSEDED]
    assert newer.sha in post.reason()


async def test_a_run_that_ended_in_the_ledger_is_not_waited_for_in_prefect() -> None:
    """Prefect goes on showing the run of a worker that died."""
    post = Post()
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        await post.receive(post.commit("third", "adapter/main"))
        await asyncio.sleep(10)
        assert post.outcomes() == [STARTED, None]
        assert "run-1 is under way" in post.reason()
        await post.release(second, State.REFUSED, run="run-1")
        await asyncio.sleep(10)

    assert post.outcomes() == [STARTED, STARTED]


async def test_a_run_is_not_waited_for_for_ever() -> None:
    post = Post()
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        await under_way(post, second)
        await post.receive(post.commit("third", "adapter/main"))
        await asyncio.sleep(dispatcher.LONGEST_RUN + 60)

    assert post.outcomes() == [STARTED, STARTED]


async def test_a_run_that_a_worker_has_taken_and_never_begun_is_soon_not_waited_for() -> None:
    """The worker was killed right then: Prefect shows the run as submitted, and for ever."""
    post = Post()
    async with dispatching(post):
        await post.receive(post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        post.runs.take_all()
        await post.receive(post.commit("third", "adapter/main"))
        await asyncio.sleep(BEGUN_WITHIN + 60)

    assert post.outcomes() == [STARTED, STARTED]


async def test_a_run_whose_worker_died_with_it_is_started_again_and_marked() -> None:
    post = Post()
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"), name="delivery-two")
        await asyncio.sleep(1)
        post.runs.take_all()
        await asyncio.sleep(BEGUN_WITHIN + 2 * dispatcher.LOOK_EVERY + 1)
        assert post.runs.commits(ADAPTER) == [second.sha, second.sha]
        await post.release(second, State.LIVE, run="run-2")
        await asyncio.sleep(3 * BEGUN_WITHIN)

    assert "its worker died" in post.runs.crashed["run-1"]
    assert len(post.runs.made) == 2
    (first, (_, asked)), (again, (_, asked_again)) = post.runs.made.items()
    assert first != again
    assert asked == asked_again
    assert post.outcomes() == [STARTED]
    assert "run-1 was lost" in post.reason()
    [started] = await post.inbox.started(ADAPTER)
    assert (started.run, started.attempt) == ("run-2", 2)


async def test_a_run_that_prefect_knows_to_be_crashed_before_its_release_is_started_again() -> None:
    post = Post()
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        post.runs.crashed["run-1"] = "the process exited with code 137"
        await asyncio.sleep(dispatcher.LOOK_EVERY + 1)

    assert post.runs.commits(ADAPTER) == [second.sha, second.sha]
    assert post.runs.crashed["run-1"] == "the process exited with code 137"


async def test_the_next_process_starts_the_same_attempt_of_a_lost_run() -> None:
    post = Post()
    async with dispatching(post):
        await post.receive(post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        post.runs.crashed["run-1"] = "killed"
        post.runs.lost_answers = 1
        await asyncio.sleep(dispatcher.LOOK_EVERY)
    assert len(post.runs.made) == 2

    post.dispatcher = post.new_dispatcher()
    async with dispatching(post):
        await asyncio.sleep(60)

    assert len(post.runs.made) == 2
    assert (await post.inbox.started(ADAPTER))[0].run == "run-2"


async def test_a_commit_whose_runs_are_all_lost_is_left_to_a_person(
    caplog: pytest.LogCaptureFixture,
) -> None:
    post = Post()
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"))
        for _ in range(10):
            await asyncio.sleep(dispatcher.LOOK_EVERY)
            post.runs.crashed |= {post.runs.run_of(key): "killed" for key in post.runs.made}

    assert len(post.runs.made) == dispatcher.ATTEMPTS
    [said] = [each for each in caplog.messages if "see to the workers" in each]
    assert f"slipway deploy {ADAPTER} {second}" in said
    [(commit, status)] = post.host.statuses
    assert (commit, status.state) == (second, CommitState.FAILURE)
    assert status.link == "https://prefect.example/run-3"


@pytest.mark.parametrize("state", list(State))
async def test_a_run_that_opened_a_release_is_not_started_again(state: State) -> None:
    post = Post()
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        if state is State.RESTORED:
            await post.release(second, State.RESTORING, run="run-1")
        else:
            await post.release(second, state, run="run-1")
        post.runs.crashed["run-1"] = "killed"
        await asyncio.sleep(2 * BEGUN_WITHIN)

    assert len(post.runs.made) == 1


async def test_what_a_person_has_ended_or_answered_is_not_started_again() -> None:
    cancelled, answered = Post(), Post()
    async with dispatching(cancelled), dispatching(answered):
        for post in (cancelled, answered):
            await post.receive(post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        cancelled.runs.end_all()
        answered.runs.take_all()
        await asyncio.sleep(60)
        await answered.release(answered.first, State.LIVE)
        await asyncio.sleep(2 * BEGUN_WITHIN)

    assert len(cancelled.runs.made) == len(answered.runs.made) == 1


async def test_a_run_that_was_cancelled_after_its_worker_died_is_not_started_again() -> None:
    post = Post()
    async with dispatching(post):
        await post.receive(post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        post.runs.take_all()
        post.runs.stopping.add("run-1")
        await asyncio.sleep(3 * BEGUN_WITHIN)
        await post.receive(post.commit("third", "adapter/main"))
        await asyncio.sleep(60)

    assert post.outcomes() == [STARTED, STARTED]
    assert len(post.runs.made) == 2
    assert not post.runs.crashed


@pytest.mark.parametrize("vetoed", [False, True])
async def test_a_lost_commit_that_was_reverted_is_not_deployed_any_more(*, vetoed: bool) -> None:
    post = Post()
    await post.release(post.first, State.LIVE)
    async with dispatching(post):
        await asyncio.sleep(60)
        await post.receive(second := post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        post.runs.take_all()
        await asyncio.sleep(BEGUN_WITHIN - 60)
        reverted = post.git.commit("revert", {"adapter/main": "first"})
        if vetoed:
            await post.ledger.place_veto(ADAPTER, NewVeto(reverted, "not on a Friday", "ada"))
        await post.receive(reverted)
        await asyncio.sleep(3 * BEGUN_WITHIN)

    wanted = [second.sha] if vetoed else [second.sha, reverted.sha]
    assert post.runs.commits(ADAPTER) == wanted


async def test_a_revert_behind_a_run_that_takes_long_is_deployed_after_it() -> None:
    """What is live is about to change, whatever the ledger says."""
    post = Post()
    await post.release(post.first, State.LIVE)
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        await under_way(post, second)
        await post.receive(post.git.commit("revert", {"adapter/main": "first"}))
        await asyncio.sleep(dispatcher.LONGEST_RUN + 60)

    assert post.outcomes() == [STARTED, STARTED]


async def test_of_several_that_wait_for_a_worker_for_hours_only_the_newest_is_built() -> None:
    post = Post()
    pushes = [post.commit(f"push {number}", "adapter/main") for number in range(6)]
    async with dispatching(post):
        for each in pushes:
            await post.receive(each)
            await asyncio.sleep(dispatcher.LONGEST_RUN + 300)

    waits = [key for key in post.runs.made if post.runs.run_of(key) not in post.runs.ended]
    assert len(waits) == 1
    assert pushes[-1].sha in waits[0]
    assert post.outcomes() == [STARTED] * 6
    assert f"superseded: by {pushes[1]}" in post.reason(0)
    status = post.host.shown(pushes[0], ADAPTER)
    assert status is not None
    assert status.description.startswith("superseded: ")


async def test_a_commit_that_is_taken_back_before_any_worker_comes_is_never_built() -> None:
    post = Post()
    await post.release(post.first, State.LIVE)
    async with dispatching(post):
        await post.receive(post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        await post.receive(post.git.commit("revert", {"adapter/main": "first"}))
        await asyncio.sleep(dispatcher.LONGEST_RUN + 60)

    assert post.outcomes() == [STARTED, UNCHANGED]
    assert post.runs.ended == {"run-1"}


async def test_a_run_that_waits_for_a_worker_gives_way_to_nothing_older() -> None:
    post = Post()
    second, third = (post.commit(each, "adapter/main") for each in ("second", "third"))
    async with dispatching(post):
        await post.receive(third)
        await asyncio.sleep(dispatcher.LONGEST_RUN + 60)
        await post.receive(second)
        await post.receive(third, name="again")
        await asyncio.sleep(dispatcher.LONGEST_RUN)

    assert post.outcomes() == [STARTED, SUPERSEDED, SUPERSEDED]
    assert not post.runs.ended


async def test_a_run_that_a_worker_takes_in_the_moment_it_is_withdrawn_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    post = Post()
    withdraw = post.runs.withdraw

    async def taken_before(run: str, why: str) -> bool:
        post.runs.taken.add(run)
        return await withdraw(run, why)

    monkeypatch.setattr(post.runs, "withdraw", taken_before)
    async with dispatching(post):
        await post.receive(post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        await post.receive(post.commit("third", "adapter/main"))
        await asyncio.sleep(dispatcher.LONGEST_RUN + 60)
        assert post.outcomes() == [STARTED, None]
        assert post.runs.stopping == {"run-1"}
        post.runs.end_all()
        await asyncio.sleep(60)

    assert post.outcomes() == [STARTED, STARTED]


@pytest.mark.parametrize("state", [State.REFUSED, State.LIVE])
async def test_only_a_release_that_may_have_changed_something_answers_a_lost_push(
    state: State,
) -> None:
    post = Post()
    async with dispatching(post):
        await post.receive(post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        post.runs.take_all()
        await asyncio.sleep(60)
        await post.release(post.first, state)
        await asyncio.sleep(2 * BEGUN_WITHIN)

    assert len(post.runs.made) == (2 if state is State.REFUSED else 1)


async def test_a_run_that_begins_in_the_moment_it_is_given_up_is_no_reason_for_another() -> None:
    post = Post()
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        post.runs.take_all()
        post.runs.when_given_up = lambda: post.release(second, State.RELEASING, run="run-1")
        await asyncio.sleep(3 * BEGUN_WITHIN)

    assert len(post.runs.made) == 1


async def test_a_run_that_waited_long_for_its_worker_has_all_its_time_to_begin() -> None:
    post = Post()
    async with dispatching(post):
        await post.receive(post.commit("second", "adapter/main"))
        await asyncio.sleep(2 * HOUR)
        post.runs.take_all()
        await asyncio.sleep(BEGUN_WITHIN - dispatcher.LOOK_EVERY - 1)
        assert len(post.runs.made) == 1
        await asyncio.sleep(3 * dispatcher.LOOK_EVERY)

    assert len(post.runs.made) == 2


async def test_a_run_that_is_kept_waiting_by_what_does_not_answer_is_given_its_time_anew() -> None:
    post = Post()
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        post.runs.take_all()
        await asyncio.sleep(60)
        post.runs.down = True
        await asyncio.sleep(2 * BEGUN_WITHIN)
        post.runs.down = False
        await asyncio.sleep(120)
        await post.release(second, State.LIVE, run="run-1")
        await asyncio.sleep(2 * BEGUN_WITHIN)

    assert len(post.runs.made) == 1


@pytest.mark.parametrize("begun", [True, False])
async def test_a_run_that_waits_for_a_worker_or_has_begun_may_take_its_time(*, begun: bool) -> None:
    post = Post()
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        if begun:
            post.runs.take_all()
            await post.release(second, State.RELEASING, run="run-1")
        await post.receive(post.commit("third", "adapter/main"))
        await asyncio.sleep(dispatcher.LONGEST_RUN - 60)

    assert post.outcomes() == [STARTED, None]


async def test_while_prefect_is_down_for_hours_nothing_is_lost_and_it_is_not_hammered() -> None:
    post = Post()
    post.runs.down = True
    async with dispatching(post):
        for number in range(5):
            await post.receive(post.commit(f"push {number}", "adapter/main"))
        await asyncio.sleep(5 * HOUR)
        assert post.outcomes() == [SUPERSEDED] * 4 + [None]
        assert "Prefect did not answer" in post.reason()
        assert post.runs.attempts < 5 * HOUR / dispatcher.LONGEST_PAUSE + 20
        post.runs.down = False
        await asyncio.sleep(dispatcher.LONGEST_PAUSE + 1)

    assert post.outcomes() == [SUPERSEDED] * 4 + [STARTED]
    assert post.runs.commits(ADAPTER) == [post.git.branches["main"]]


async def test_a_start_whose_answer_is_lost_is_the_same_run() -> None:
    post = Post()
    post.runs.lost_answers = 3
    async with dispatching(post):
        await post.receive(post.commit("second", "adapter/main"))
        await asyncio.sleep(60)

    assert post.outcomes() == [STARTED]
    assert len(post.runs.made) == 1
    assert (await post.inbox.started(ADAPTER))[0].run == "run-1"


async def test_a_dispatcher_that_dies_after_starting_is_continued_by_the_next() -> None:
    post = Post()
    post.runs.lost_answers = 1
    await post.receive(post.commit("second", "adapter/main"))
    async with dispatching(post):
        pass
    assert post.outcomes() == [None]

    post.dispatcher = post.new_dispatcher()
    async with dispatching(post):
        await asyncio.sleep(60)

    assert post.outcomes() == [STARTED]
    assert len(post.runs.made) == 1


async def test_others_are_superseded_before_the_newest_is_started() -> None:
    """Otherwise a death between the two would leave an older one to be the newest."""
    post = Post()
    post.runs.down = True
    for number in range(3):
        await post.receive(post.commit(f"push {number}", "adapter/main"))
    async with dispatching(post):
        await asyncio.sleep(1)

    assert post.outcomes() == [SUPERSEDED, SUPERSEDED, None]


async def test_one_targets_trouble_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    post = Post(targets=(ADAPTER, SINK))
    start = post.runs.start

    async def broken(deployment: str, parameters: dict[str, object], key: str) -> str:
        if ADAPTER in deployment:
            raise RuntimeError("a defect")
        return await start(deployment, parameters, key)

    monkeypatch.setattr(post.runs, "start", broken)
    async with dispatching(post):
        for number in range(3):
            await post.receive(post.commit(f"push {number}", "adapter/main", "sink/main"))
            post.runs.end_all()
            await asyncio.sleep(60)

    assert post.outcomes(SINK) == [STARTED] * 3
    assert post.outcomes(ADAPTER) == [None, None, None]  # whether the first was made is in doubt
    assert "a defect" in post.reason(target=ADAPTER)


@pytest.mark.parametrize("error", [Unreachable("down"), AccessDenied("token expired")])
async def test_a_repository_that_does_not_answer_is_waited_for(error: Exception) -> None:
    post = Post()
    post.git.faults.always("source.fetch", error)
    async with dispatching(post):
        await post.receive(post.commit("second", "adapter/main"))
        await asyncio.sleep(10 * 60)
        assert post.outcomes() == [None]
        post.git.faults.always("source.fetch", None)
        await asyncio.sleep(dispatcher.LONGEST_PAUSE + 1)

    assert post.outcomes() == [STARTED]


async def test_a_commit_that_git_shows_a_little_late_is_deployed() -> None:
    post = Post()
    async with dispatching(post):
        late = post.commit("late", "adapter/main")
        post.git.branches["main"] = post.first.sha
        await post.receive(late)
        await asyncio.sleep(4)
        assert post.outcomes() == [None]
        post.git.branches["main"] = late.sha
        await asyncio.sleep(60)

    assert post.outcomes() == [STARTED]


async def test_a_push_that_git_shows_late_is_not_superseded_by_an_older_one() -> None:
    post = Post()
    async with dispatching(post):
        older, late = (post.commit(name, "adapter/main") for name in ("older", "late"))
        post.git.branches["main"] = older.sha
        await post.receive(older)
        await post.receive(late)
        await asyncio.sleep(4)
        assert post.outcomes() == [STARTED, None]
        post.git.branches["main"] = late.sha
        post.runs.end_all()
        await asyncio.sleep(60)

    assert post.outcomes() == [STARTED, STARTED]
    assert post.runs.commits(ADAPTER) == [older.sha, late.sha]


async def test_a_commit_that_never_arrives_is_refused() -> None:
    post = Post()
    async with dispatching(post):
        await post.receive(Commit("d" * 40), before=post.first)
        await asyncio.sleep(10 * 60)

    assert post.outcomes() == [Outcome.REFUSED]
    assert post.reason().startswith("not-on-main-line")


async def test_a_forced_push_waits_for_a_person() -> None:
    post = Post()
    replaced = post.commit("replaced", "adapter/main")
    await post.release(replaced, State.LIVE)
    post.git.branches["main"] = post.first.sha
    async with dispatching(post):
        await post.receive(post.commit("instead", "adapter/main"), before=replaced)
        await asyncio.sleep(60)
        await post.receive(post.commit("on top of it", "adapter/main"))
        await asyncio.sleep(60)

    assert post.outcomes() == [Outcome.HELD, Outcome.HELD]
    assert not post.runs.made


async def test_a_deleted_folder_is_an_alert_and_starts_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    post = Post()
    await post.release(post.first, State.LIVE)
    gone = post.git.commit("gone", {"adapter/main": "", "adapter/README.md": ""})
    async with dispatching(post):
        await post.receive(gone)
        await asyncio.sleep(1)

    assert post.outcomes() == [Outcome.REFUSED]
    assert [each.levelname for each in caplog.records if "folder-absent" in each.message] == [
        "ERROR"
    ]


async def test_a_vetoed_commit_starts_nothing() -> None:
    post = Post()
    second = post.commit("second", "adapter/main")
    await post.ledger.place_veto(ADAPTER, NewVeto(second, "it crashes", "ada"))
    async with dispatching(post):
        await post.receive(second)
        await asyncio.sleep(60)

    assert post.outcomes() == [Outcome.REFUSED]
    assert not post.runs.made


async def test_at_a_held_target_a_push_is_held_by_a_run_that_publishes_its_image() -> None:
    """The flow asks for holds once the image is published (tests/flows/test_holds.py)."""
    post = Post()
    await post.ledger.place_hold(ADAPTER, NewHold("it is night", "ada"))
    async with dispatching(post):
        await post.receive(second := post.commit("second", "adapter/main"))
        await asyncio.sleep(1)

    assert post.outcomes() == [Outcome.HELD]
    assert "it is night; run run-1 publishes the image" in post.reason()
    [(_, parameters)] = post.runs.made.values()
    assert (parameters["commit"], parameters["options"]) == (second.sha, {"automatic": True})


async def test_a_burst_at_a_held_target_is_built_at_most_twice_too() -> None:
    post = Post()
    await post.ledger.place_hold(ADAPTER, NewHold("it is night", "ada"))
    async with dispatching(post):
        for number in range(10):
            await post.receive(post.commit(f"push {number}", "adapter/main"))
            await asyncio.sleep(1)
        post.runs.end_all()
        await asyncio.sleep(10)

    assert post.outcomes() == [Outcome.HELD, *[SUPERSEDED] * 8, Outcome.HELD]
    assert len(post.runs.commits(ADAPTER)) == 2


async def test_after_a_hold_the_next_push_is_deployed() -> None:
    post = Post()
    hold = await post.ledger.place_hold(ADAPTER, NewHold("it is night", "ada"))
    async with dispatching(post):
        await post.receive(post.commit("second", "adapter/main"))
        await asyncio.sleep(1)
        post.runs.end_all()
        await post.ledger.lift_hold(hold.number, "ada", "it is day")
        await post.receive(post.commit("third", "adapter/main"))
        await asyncio.sleep(10)

    assert post.outcomes() == [Outcome.HELD, Outcome.STARTED]


async def test_the_same_push_under_other_ids_starts_one_run() -> None:
    post = Post()
    second = post.commit("second", "adapter/main")
    async with dispatching(post):
        for number in range(3):
            await post.receive(second, name=f"hook-{number}")
            await asyncio.sleep(5)
            post.runs.end_all()

    assert post.outcomes() == [STARTED, SUPERSEDED, SUPERSEDED]
    assert len(post.runs.made) == 1


async def test_one_fetch_serves_every_target_of_a_push(monkeypatch: pytest.MonkeyPatch) -> None:
    post = Post(targets=tuple(f"adapter-{number}" for number in range(10)))
    fetches = []
    fetch = post.git.fetch

    async def counted() -> None:
        fetches.append(1)
        await asyncio.sleep(1)
        await fetch()

    monkeypatch.setattr(post.git, "fetch", counted)
    async with dispatching(post):
        await post.receive(post.commit("second", "adapter/main"))
        await asyncio.sleep(30)

    assert len(post.runs.made) == 10
    assert len(fetches) == 1


@pytest.mark.parametrize(("seed", "size"), [(0, 300), (1, 100), (2, 100), (3, 100)])
async def test_a_storm_with_prefect_down_and_the_process_killed_ends_every_push_once(
    seed: int, size: int
) -> None:
    """Every push is delivered three times, in any order, for four targets."""
    chance = random.Random(seed)  # noqa: S311 - a storm that can be repeated
    targets = tuple(f"adapter-{number}" for number in range(4))
    post = Post(targets=targets)
    pushes = [post.commit(f"push {number}", "adapter/main") for number in range(size)]
    deliveries = [(push, f"delivery-{push}") for push in pushes] * 3
    chance.shuffle(deliveries)
    settled_twice: list[object] = []
    settle = post.inbox.settle

    async def settle_once(waiting: list[object], ending: Ending) -> None:
        settled_twice.extend(
            each
            for each in waiting
            if (each.number, each.target) in post.inbox.endings  # type: ignore[attr-defined] # a waiting delivery
        )
        await settle(waiting, ending)  # type: ignore[arg-type] # likewise

    post.inbox.settle = settle_once  # type: ignore[method-assign,assignment] # watched

    async def storm(part: list[tuple[Commit, str]]) -> None:
        for push, name in part:
            await post.receive(push, name=name)
            await asyncio.sleep(chance.expovariate(20))
            if chance.random() < 0.1:
                post.runs.end_all()

    third = len(deliveries) // 3
    async with dispatching(post):
        await storm(deliveries[:third])
        post.runs.down = True
        await storm(deliveries[third : 2 * third])
        post.runs.lost_answers = 5
    post.dispatcher = post.new_dispatcher()
    async with dispatching(post):
        post.runs.down = False
        await storm(deliveries[2 * third :])
        for _ in range(20):
            post.runs.end_all()
            await asyncio.sleep(30)

    assert not settled_twice
    assert len(post.inbox.kept) == size
    for target in targets:
        assert None not in post.outcomes(target)
        commits = post.runs.commits(target)
        assert len(commits) == len(set(commits))
        assert commits[-1] == pushes[-1].sha
        assert post.outcomes(target).count(STARTED) == len(commits)


async def test_days_of_failures_stop_nobody() -> None:
    post = Post()
    post.runs.down = True
    dispatching_ = asyncio.create_task(post.dispatcher.run())
    await post.receive(post.commit("second", "adapter/main"))
    await asyncio.sleep(3 * 24 * 3600)
    post.runs.down = False
    await asyncio.sleep(LONGEST_PAUSE + 1)
    dispatching_.cancel()

    assert post.outcomes() == [Outcome.STARTED]


async def test_what_can_not_be_written_down_of_one_target_keeps_no_other_waiting() -> None:
    post = Post(targets=(ADAPTER, SINK))
    post.runs.down = True
    put_off = post.inbox.put_off

    async def defective(waiting: Sequence[PushAt], why: str) -> None:
        if waiting[0].target == ADAPTER:
            raise ValueError("a defect")
        await put_off(waiting, why)

    post.inbox.put_off = defective  # type: ignore[method-assign] # planted
    async with dispatching(post):
        await post.receive(post.commit("second", "adapter/main", "sink/main"))
        await asyncio.sleep(60)
        post.runs.down = False
        await asyncio.sleep(2 * LONGEST_PAUSE)

    assert [post.outcomes(ADAPTER), post.outcomes(SINK)] == [[Outcome.STARTED]] * 2


async def test_what_is_live_is_known_however_many_releases_have_come_to_nothing_since() -> None:
    post = Post()
    await post.release(post.first, State.LIVE)
    for _ in range(2 * RECENT):
        await post.release(post.first, State.REFUSED)
    async with dispatching(post):
        await post.receive(post.commit("words", "adapter/README.md"))
        await asyncio.sleep(60)

    assert post.outcomes() == [Outcome.UNCHANGED]

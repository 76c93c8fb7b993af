"""What a push means for a target."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from slipway.domain.commit import Commit
from slipway.domain.delivery import Outcome, Push, PushAt, StartedRun
from slipway.domain.hold import Hold, Veto
from slipway.domain.pushed import SourceFacts, TargetFacts, judge_push, run_started

BEFORE, LIVE, AFTER = (Commit(digit * 40) for digit in "123")
PUSH = Push("main", BEFORE, AFTER)
GOOD = SourceFacts(on_main_line=True, extends_before=True, has_folder=True)
TARGET = TargetFacts("adapter-prod", LIVE, settled=True)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOLD = Hold(1, "adapter-prod", "the night shift sleeps", "ada", NOW)
VETO = Veto(1, "adapter-prod", AFTER, "it crashed", "slipway", NOW)


def outcome(
    source: SourceFacts = GOOD, push: Push = PUSH, **target: Any
) -> tuple[Outcome | None, str]:
    ending = judge_push(push, source, replace(TARGET, **target))
    return (None, "") if ending is None else (ending.outcome, ending.reason)


def test_a_push_that_the_build_can_see_is_deployed() -> None:
    assert outcome() == (None, "")
    assert outcome(live=None) == (None, "")


def test_a_branch_that_was_made_is_deployed() -> None:
    assert outcome(push=replace(PUSH, before=None)) == (None, "")


def test_a_change_that_no_copy_can_see_is_no_effective_change_and_its_files_are_named() -> None:
    source = replace(GOOD, same_inputs=True, changed=["adapter/README.md", "docs/x.md"])

    ended, reason = outcome(source)

    assert ended is Outcome.UNCHANGED
    assert reason.endswith("adapter/README.md, docs/x.md")


def test_of_many_files_some_are_named_and_the_others_counted() -> None:
    files = [f"docs/{number}.md" for number in range(25)]

    _, reason = outcome(replace(GOOD, same_inputs=True, changed=files))

    assert reason.endswith("docs/9.md and 15 more")


@pytest.mark.parametrize("source", [replace(GOOD, same_inputs=True), GOOD])
def test_while_something_is_under_way_nothing_is_taken_for_unchanged(source: SourceFacts) -> None:
    """What is live now may not be live in a minute."""
    assert outcome(source, settled=False) == (None, "")
    assert outcome(source, settled=False, live=AFTER) == (None, "")


def test_what_is_live_already_is_unchanged() -> None:
    assert outcome(replace(GOOD, live_descends=True), live=AFTER)[0] is Outcome.UNCHANGED


@pytest.mark.parametrize("settled", [True, False])
def test_an_older_push_after_a_newer_one_is_superseded(*, settled: bool) -> None:
    source = replace(GOOD, live_descends=True, extends_live=False)

    assert outcome(source, settled=settled)[0] is Outcome.SUPERSEDED


def test_history_that_a_push_rewrote_waits_for_a_person() -> None:
    ended, reason = outcome(replace(GOOD, extends_before=False))

    assert ended is Outcome.HELD
    assert f"slipway deploy adapter-prod {AFTER}" in reason
    assert BEFORE.sha in reason


def test_history_rewritten_below_what_is_live_waits_for_a_person_too() -> None:
    """The push that rewrote it may have been lost, or coalesced with this one."""
    ended, reason = outcome(replace(GOOD, extends_live=False))

    assert ended is Outcome.HELD
    assert LIVE.sha in reason


def test_a_commit_that_is_gone_from_the_branch_is_refused() -> None:
    assert outcome(replace(GOOD, on_main_line=False))[0] is Outcome.REFUSED


def test_a_deleted_folder_is_an_alert_and_not_a_deploy() -> None:
    ended, reason = outcome(replace(GOOD, has_folder=False))

    assert (ended, reason.partition(":")[0]) == (Outcome.REFUSED, "folder-absent")


def test_a_commit_that_a_delivery_was_started_for_is_not_started_again() -> None:
    at_it = PushAt(1, "id-1", TARGET.name, "push", "acme/shop", "ada", PUSH)

    ending = judge_push(PUSH, GOOD, replace(TARGET, asked=StartedRun(at_it, "0b8e", NOW)))

    assert ending is not None
    assert (ending.outcome, ending.run) == (Outcome.SUPERSEDED, "0b8e")


def test_a_delivery_whose_run_only_publishes_is_held_and_says_by_whom() -> None:
    ending = run_started(AFTER, TARGET.name, [HOLD], "0b8e")

    assert (ending.outcome, ending.run) == (Outcome.HELD, "0b8e")
    assert ending.reason.startswith("held: ")
    assert "by ada: the night shift sleeps" in ending.reason
    assert ending.reason.endswith(f"slipway deploy adapter-prod {AFTER}")


def test_a_delivery_whose_run_deploys_is_started() -> None:
    assert run_started(AFTER, TARGET.name, [], "0b8e").outcome is Outcome.STARTED


def test_a_veto_refuses_its_commit_only() -> None:
    assert outcome(vetoes=[VETO])[0] is Outcome.REFUSED
    assert outcome(vetoes=[replace(VETO, commit=LIVE)]) == (None, "")

"""Of several waiting deploys of one target the newest runs, whatever order they came in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.coalescing import which_runs
from slipway.domain.commit import Commit

LINE = [Commit(f"{number:040x}") for number in range(8)]
"""Newest first."""
BEHIND = {commit: place for place, commit in enumerate(LINE)}
ELSEWHERE = [Commit(f"{number:040x}") for number in range(100, 104)]


def test_the_newest_runs_although_it_came_first() -> None:
    assert which_runs([LINE[0], LINE[2], LINE[1]], BEHIND) == 0


def test_of_one_commit_the_first_request_runs() -> None:
    assert which_runs([LINE[3], LINE[1], LINE[1]], BEHIND) == 1


def test_what_is_not_on_the_main_line_never_supersedes_what_is() -> None:
    assert which_runs([LINE[5], ELSEWHERE[0]], BEHIND) == 0


def test_where_none_is_on_the_main_line_the_last_asked_runs() -> None:
    assert which_runs([ELSEWHERE[0], ELSEWHERE[1]], BEHIND) == 1
    assert which_runs([ELSEWHERE[0], ELSEWHERE[1], ELSEWHERE[1]], {}) == 1


def test_nobody_waiting_is_a_defect_of_the_caller() -> None:
    with pytest.raises(ValueError, match="nobody"):
        which_runs([], BEHIND)


asked = st.lists(st.sampled_from(LINE + ELSEWHERE), min_size=1, max_size=12)


@given(asked=asked)
def test_no_waiting_commit_is_newer_than_the_one_that_runs(asked: list[Commit]) -> None:
    runs = asked[which_runs(asked, BEHIND)]

    assert all(BEHIND.get(runs, 99) <= BEHIND.get(each, 99) for each in asked)


@given(asked=asked, later=asked)
def test_deciding_step_by_step_ends_where_deciding_at_once_does(
    asked: list[Commit], later: list[Commit]
) -> None:
    """The dispatcher sees some, starts one, and sees the others later."""
    first = asked[which_runs(asked, BEHIND)]
    stepwise = [first, *later]
    at_once = asked + later

    assert stepwise[which_runs(stepwise, BEHIND)] == at_once[which_runs(at_once, BEHIND)]

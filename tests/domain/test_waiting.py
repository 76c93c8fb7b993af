"""Who goes next in a stack's line, and who has no point in going."""

from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.coalescing import which_runs
from slipway.domain.commit import Commit
from slipway.domain.release import Kind
from slipway.domain.waiting import Waiter, in_order, superseding, to_be_ended

COMMITS = [Commit(f"{number:040x}") for number in range(4)]
BEHIND = {commit: 3 - place for place, commit in enumerate(COMMITS)}
"""All on one main line, the last of them its head."""


def waiter(
    place: int, kind: Kind = Kind.DEPLOY, target: str = "shop", commit: int = 0, asked: str = ""
) -> Waiter:
    return Waiter(f"r{place}", "stack", target, kind, COMMITS[commit], place, asked)


LINES = st.lists(
    st.builds(
        waiter,
        st.integers(0, 99),
        st.sampled_from([Kind.DEPLOY, Kind.ROLLBACK]),
        st.sampled_from(["shop", "sink"]),
        st.integers(0, 3),
    ),
    min_size=1,
    unique_by=lambda each: each.place,
)


@given(LINES)
def test_rollbacks_go_first_and_else_who_was_first(line: list[Waiter]) -> None:
    ordered = in_order(line)

    kinds = [each.kind for each in ordered]
    assert kinds == sorted(kinds, key=lambda kind: kind is Kind.DEPLOY)
    for kind in (Kind.DEPLOY, Kind.ROLLBACK):
        places = [each.place for each in ordered if each.kind is kind]
        assert places == sorted(places)


@given(LINES)
def test_of_a_targets_deploys_those_of_the_newest_commit_go_on_and_no_other(
    line: list[Waiter],
) -> None:
    deploys = [each for each in line if each.kind is Kind.DEPLOY and each.target == "shop"]

    left = [each for each in deploys if superseding(each, line, BEHIND) is None]

    newest = max((each.commit.sha for each in deploys if each.commit), default="")
    assert left == [each for each in deploys if each.commit and each.commit.sha == newest]


@given(LINES)
def test_the_line_and_the_webhook_choose_the_same_commit(line: list[Waiter]) -> None:
    """One function decides here and there, so that neither starts what the other ends."""
    deploys = sorted(
        (each for each in line if each.kind is Kind.DEPLOY and each.target == "shop"),
        key=lambda each: each.place,
    )
    commits = [each.commit for each in deploys if each.commit]

    for each in deploys:
        superseded_by = superseding(each, line, BEHIND)
        chosen = commits[which_runs(commits, BEHIND)]
        assert (superseded_by or each).commit == chosen


def test_who_is_superseded_is_told_by_whom() -> None:
    line = [waiter(1, commit=0), waiter(2, commit=1), waiter(3, commit=2)]

    assert superseding(line[0], line, BEHIND) == line[2]


def test_a_commit_that_has_left_the_main_line_supersedes_nobody() -> None:
    line = [waiter(1, commit=0), waiter(2, commit=1)]

    assert superseding(line[0], line, {COMMITS[0]: 0}) is None
    assert superseding(line[1], line, {COMMITS[0]: 0}) == line[0]


def test_neither_rollbacks_nor_other_targets_have_a_part_in_it() -> None:
    line = [waiter(1), waiter(2, Kind.ROLLBACK, commit=1), waiter(3, target="sink", commit=1)]

    assert superseding(line[0], line, BEHIND) is None
    assert superseding(line[1], [waiter(4, commit=2)], BEHIND) is None


def test_a_rollback_asks_once_and_only_a_deploy_of_its_own_target() -> None:
    back = waiter(9, Kind.ROLLBACK)

    assert to_be_ended(back, waiter(1))
    assert not to_be_ended(back, waiter(1, asked="already"))
    assert not to_be_ended(back, waiter(1, target="sink"))
    assert not to_be_ended(back, waiter(1, Kind.ROLLBACK))
    assert not to_be_ended(back, None)
    assert not to_be_ended(waiter(9), waiter(1))

"""Measures of a history, in the words of DORA's four keys."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.commit import Commit
from slipway.domain.image import Digest
from slipway.domain.measures import DRILL, Measures, Times, measure, spread
from slipway.domain.release import Kind, Phase, Release, Request, State

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def commit(number: int) -> Commit:
    return Commit(f"{number:040x}")


def release(
    number: int, kind: Kind = Kind.DEPLOY, state: State = State.LIVE, reason: str = "proven: yes"
) -> Release:
    """The release that was asked for at this hour, and ended half an hour later."""
    started = T0 + number * HOUR
    ended = started + HOUR / 2
    return Release(
        f"{number:012x}",
        "shop-prod",
        "acme/shop/prod",
        Request(kind, "x", "ada", why="it is slow"),
        started,
        state,
        reason=reason,
        phase=Phase.APPLIED,
        commit=commit(number),
        ended=ended,
        live_since=ended if state is State.LIVE else None,
    )


def measured(*oldest_first: Release, times: Times | None = None, hours: int = 240) -> Measures:
    newest_first: Sequence[Release] = list(reversed(oldest_first))
    return measure([newest_first], times or Times({}, {}), T0, T0 + hours * HOUR)


def test_deploys_that_went_live_are_counted_a_day() -> None:
    found = measured(*map(release, range(5)), release(6, state=State.REFUSED))

    assert (found.deploys, found.per_day) == (5, 0.5)
    assert (found.changed, found.failed, found.failure_rate) == (5, 0, 0.0)


def test_lead_time_is_from_the_commit_to_when_it_was_proven_live() -> None:
    times = Times({commit(3): T0, commit(4): T0 + 4 * HOUR}, {})

    found = measured(release(3), release(4), release(5), times=times)

    assert found.lead_time == spread([3.5 * HOUR, HOUR / 2])


def test_every_commit_that_waited_for_a_deploy_has_a_lead_time() -> None:
    times = Times(
        {commit(1): T0, commit(3): T0 + 2 * HOUR, commit(4): T0 + 3 * HOUR},
        {},
        {release(4).id: [commit(4), commit(3), commit(2)]},
    )

    found = measured(release(1), release(4), times=times)

    assert found.lead_time == spread([1.5 * HOUR, 1.5 * HOUR, 2.5 * HOUR])


def test_a_restored_deploy_failed_and_recovered_when_it_was_restored() -> None:
    bad = release(3, state=State.RESTORED)
    times = Times({}, {bad.id: T0 + 3 * HOUR + HOUR / 4})

    found = measured(release(1), bad, times=times)

    assert (found.deploys, found.changed, found.failed) == (1, 2, 1)
    assert found.failure_rate == 0.5
    assert found.recovery == spread([HOUR / 4])


def test_a_deploy_that_a_rollback_left_failed_until_the_rollback_was_live() -> None:
    found = measured(release(1), release(2), release(5, Kind.ROLLBACK))

    assert (found.changed, found.failed) == (2, 1)
    assert found.recovery == spread([3.5 * HOUR])
    [back] = found.rollbacks
    assert (back.to, back.why, back.by) == (commit(5), "it is slow", "ada")


def test_a_second_rollback_leaves_no_deploy() -> None:
    found = measured(release(1), release(2), release(5, Kind.ROLLBACK), release(6, Kind.ROLLBACK))

    assert found.failed == 1
    assert [each.to for each in found.rollbacks] == [commit(6), commit(5)]


@pytest.mark.parametrize("state", [State.REFUSED, State.RELEASING])
def test_what_did_not_reach_production_or_has_no_end_is_no_change(state: State) -> None:
    assert measured(release(1, state=state)).changed == 0


@pytest.mark.parametrize("state", [State.RESTORED, State.NEEDS_ATTENTION])
def test_a_deploy_that_failed_before_its_update_began_is_no_change(state: State) -> None:
    pinned = replace(release(1, state=state), phase=Phase.PINNED)

    assert (measured(pinned).changed, measured(pinned).failed) == (0, 0)


def test_a_deploy_that_needs_attention_has_failed_and_not_recovered() -> None:
    found = measured(release(1), release(2, state=State.NEEDS_ATTENTION))

    assert (found.deploys, found.changed, found.failed) == (1, 2, 1)
    assert found.recovery.count == 0


@pytest.mark.parametrize("kind", list(Kind)[:2])
def test_what_needed_attention_recovers_with_what_is_live_next(kind: Kind) -> None:
    found = measured(release(1), release(2, state=State.NEEDS_ATTENTION), release(7, kind))

    assert found.recovery.count == 1
    assert found.recovery.longest == (5 * HOUR + HOUR / 2).total_seconds()


def test_a_rollback_from_what_needed_attention_blames_no_deploy_before_it() -> None:
    broken = release(2, state=State.NEEDS_ATTENTION)

    found = measured(release(0), release(1), broken, release(7, Kind.ROLLBACK))

    assert (found.changed, found.failed, found.recovery.count) == (3, 1, 1)


def test_only_the_first_time_that_a_commit_is_live_tells_its_lead_time() -> None:
    """Back after a rollback, it was delivered long ago."""
    again = replace(release(100), commit=commit(2))
    times = Times({commit(1): T0, commit(2): T0 + 2 * HOUR}, {})

    found = measured(release(1), release(2), release(50, Kind.ROLLBACK), again, times=times)

    assert found.deploys == 3
    assert found.lead_time == spread([1.5 * HOUR, HOUR / 2])


def test_a_rollback_to_what_runs_again_already_left_no_deploy() -> None:
    """The deploy that it asked to end was restored, which brought the one before back."""
    good = replace(release(1), digest=Digest(f"sha256:{'1' * 64}"))
    back = replace(release(3, Kind.ROLLBACK), digest=good.digest)

    found = measured(good, release(2, state=State.RESTORED), back)

    assert (found.changed, found.failed) == (2, 1)


def test_what_a_full_drill_does_is_no_change() -> None:
    def drilled(number: int, kind: Kind) -> Release:
        return replace(release(number, kind), request=Request(kind, "x", DRILL))

    found = measured(release(1), drilled(2, Kind.ROLLBACK), drilled(3, Kind.DEPLOY))

    assert (found.deploys, found.changed, found.failed) == (1, 1, 0)
    assert found.rollbacks == []


def test_a_deploy_that_changed_nothing_is_none() -> None:
    assert measured(release(1, reason="unchanged: it runs already")).deploys == 0


def test_only_what_happened_in_the_span_counts() -> None:
    found = measured(release(1), release(100), release(101, Kind.ROLLBACK), hours=50)

    assert (found.deploys, len(found.rollbacks)) == (1, 0)


def test_without_any_change_there_is_no_rate() -> None:
    found = measured()

    assert (found.failure_rate, found.lead_time.median, found.recovery.count) == (None, None, 0)


def test_targets_are_measured_each_by_its_own_history() -> None:
    """A rollback at one target leaves no deploy of another."""
    back = replace(release(2, Kind.ROLLBACK), target="sink-prod")

    found = measure([[release(1)], [back]], Times({}, {}), T0, T0 + 24 * HOUR)

    assert (found.deploys, found.failed, len(found.rollbacks)) == (1, 0, 1)


RELEASES = st.lists(
    st.builds(
        release,
        st.integers(0, 200),
        st.sampled_from([Kind.DEPLOY, Kind.ROLLBACK, Kind.ADOPTED]),
        st.sampled_from(list(State)),
    ),
    unique_by=lambda each: each.id,
).map(lambda found: sorted(found, key=lambda each: each.started))


@given(RELEASES)
def test_measures_hold_together_whatever_the_history(history: list[Release]) -> None:
    found = measured(*history)

    assert 0 <= found.failed <= found.changed
    assert found.deploys <= found.changed
    assert found.recovery.count <= found.failed
    assert found.failure_rate is None or 0 <= found.failure_rate <= 1


@given(st.lists(st.timedeltas(min_value=timedelta(0)), min_size=1))
def test_figures_of_a_spread_are_durations_that_occurred(durations: list[timedelta]) -> None:
    found = spread(durations)

    occurred = {each.total_seconds() for each in durations}
    assert {found.median, found.p90, found.longest} <= occurred
    assert found.median is not None
    assert found.p90 is not None
    assert found.longest is not None
    assert found.median <= found.p90 <= found.longest

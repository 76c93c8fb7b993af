"""The figures of a soak say what the journals tell."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from slipway.domain.journal import EntryKind, JournalEntry, canonical
from slipway.domain.release import Kind, Release, Request
from tests.soak.figures import (
    Struck,
    Takeover,
    beside,
    during,
    firsts,
    observed,
    percentile,
    period,
    table,
    takeovers,
    waited,
)
from tests.soak.plan import Blow, Strike, Victim

NOW = 1_800_000_000.0
END = NOW + 90


def at(number: int, seconds: float, lease: int, **facts: object) -> JournalEntry:
    content = canonical(facts)
    return JournalEntry("r1", number, EntryKind.STATE, NOW + seconds, lease, content, "", "")


def worker(pid: int) -> dict[str, object]:
    return {"pid": pid}


def struck(victim: Victim, blow: Blow, pid: int, fell: float, back: float) -> Struck:
    return Struck(Strike(victim, blow, 0, 0, 0, 0), pid, NOW + fell, NOW + back)


@pytest.fixture
def release() -> Release:
    opened = datetime.fromtimestamp(NOW, UTC)
    asked = Request(Kind.DEPLOY, "c" * 40, "ada")
    ended = datetime.fromtimestamp(NOW + 90, UTC)
    return replace(Release("r1", "adapter-prod", "acme/c/prod", asked, opened), ended=ended)


def test_a_takeover_is_another_process_that_goes_on(release: Release) -> None:
    journal = [
        at(1, 0, 0, phase="opened"),
        at(2, 1, 0, worker=worker(7)),
        at(3, 5, 3, fence=3),
        at(4, 40, 5, fence=5, worker=worker(8)),
        at(5, 46, 5, ended=NOW + 46, state="needs attention"),
        at(6, 70, 6, fence=6, worker=worker(9)),
    ]

    first, again = takeovers(release, journal)

    seven = frozenset({7})
    assert first == Takeover(
        "r1", seven, again=False, taken=NOW + 40, decided=NOW + 46, ended=END, fence=5
    )
    assert (again.again, set(again.workers), again.decided) == (True, {7, 8}, None)
    assert takeovers(release, journal[:3]) == []


@pytest.mark.parametrize(
    ("blows", "seconds"),
    [
        ([struck(Victim.FLOW, Blow.KILL, 7, 10, 10)], 20),
        ([struck(Victim.FLOW, Blow.KILL, 99, 10, 10)], math.nan),
        ([struck(Victim.FLOW, Blow.STOP, 7, 10, 60)], 5),
        ([struck(Victim.FLOW, Blow.STOP, 7, 17, 60)], 3),
        ([struck(Victim.FLOW, Blow.STOP, 7, 17, 22)], 8),
        ([struck(Victim.FLOW, Blow.STOP, 7, 21, 60)], math.nan),
        ([replace(struck(Victim.FLOW, Blow.KILL, 99, 12, 12), recovered=True)], 18),
        ([struck(Victim.WORKER, Blow.KILL, 1, 12, 20)], 10),
        ([struck(Victim.WORKER, Blow.KILL, 1, 12, 31)], math.nan),
        ([struck(Victim.REGISTRY, Blow.KILL, 1, 12, 20)], math.nan),
        (
            [
                struck(Victim.FLOW, Blow.KILL, 7, 10, 10),
                struck(Victim.PREFECT, Blow.STOP, 1, 12, 24),
            ],
            6,
        ),
    ],
)
def test_a_takeover_waits_since_the_last_thing_it_needs_was_there(
    blows: list[Struck], seconds: float
) -> None:
    taken = Takeover("r1", frozenset({7}), False, NOW + 30, NOW + 31, None, 5)

    assert waited(taken, blows) == pytest.approx(seconds, nan_ok=True)


def test_a_takeover_waits_since_another_release_was_done_with_the_lease() -> None:
    taken = Takeover("r1", frozenset({7}), False, NOW + 30, NOW + 31, None, 5)
    of_another = [at(1, 5, 0), at(2, 20, 4), at(3, 28, 4), at(4, 31, 5)]
    blow = struck(Victim.FLOW, Blow.KILL, 7, 10, 10)

    assert waited(beside(taken, [of_another]), [blow]) == 2
    assert waited(beside(taken, [of_another[:1]]), [blow]) == 20
    assert math.isnan(waited(beside(taken, [of_another]), []))


@pytest.mark.parametrize(
    ("blows", "seconds"),
    [
        ([struck(Victim.WORKER, Blow.KILL, 1, 12, 20)], 14),
        ([struck(Victim.API_SERVER, Blow.KILL, 1, 12, 32)], 2),
        ([struck(Victim.REGISTRY, Blow.KILL, 1, 12, 32)], math.nan),
    ],
)
def test_what_it_observes_needs_the_cluster_too(blows: list[Struck], seconds: float) -> None:
    taken = Takeover("r1", frozenset({7}), False, NOW + 30, NOW + 34, None, 5)

    assert observed(taken, blows) == pytest.approx(seconds, nan_ok=True)
    assert math.isnan(observed(replace(taken, decided=None), blows))


def test_a_takeover_that_was_struck_before_it_had_observed_has_not(release: Release) -> None:
    journal = [
        at(1, 0, 1, worker=worker(7)),
        at(2, 40, 5, fence=5, worker=worker(8)),
        at(3, 46, 6, fence=6, worker=worker(9)),
        at(4, 48, 6, phase="applying"),
    ]

    assert [each.decided for each in takeovers(release, journal)] == [None, NOW + 48]


def test_what_a_recovery_comes_to_later_is_no_takeover_of_its_own() -> None:
    def taken(release: str, at: float, fence: int) -> Takeover:
        return Takeover(release, frozenset({7}), False, NOW + at, NOW + at, None, fence)

    every = [taken("r2", 60, 5), taken("r1", 30, 5), taken("r3", 90, 6)]

    assert [each.release for each in firsts(every)] == ["r1", "r3"]


def test_a_blow_counts_that_fell_while_a_release_was_open_or_changed(release: Release) -> None:
    journal = [at(1, 0, 0, phase="opened"), at(2, 30, 1, phase="pinning")]
    fell = [struck(Victim.REGISTRY, Blow.KILL, 1, at, at) for at in (-1, 10, 40, 91)]

    assert during(fell, [period(release, journal, NOW + 100)]) == (2, 1)
    assert during(fell, [period(replace(release, ended=None), journal, NOW + 100)]) == (3, 2)


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([float(each) for each in range(1, 101)], 0.99) == 99
    assert percentile([3.0], 0.5) == 3.0
    assert math.isnan(percentile([], 0.5))


def test_the_table_counts_every_kind() -> None:
    blow = struck(Victim.PULUMI, Blow.STOP, 1, 0, 0)

    assert "| pulumi | 0 | 2 | 0 |" in table([blow, blow])

"""The figures of a soak say what the journals tell."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from slipway.domain.journal import EntryKind, JournalEntry
from slipway.domain.release import Kind, Release, Request
from tests.soak.figures import Struck, Takeover, percentile, ready, table, takeovers
from tests.soak.plan import Blow, Strike, Victim

NOW = 1_800_000_000.0


def at(number: int, seconds: float, fence: int) -> JournalEntry:
    return JournalEntry("r1", number, EntryKind.STATE, NOW + seconds, fence, "{}", "", "")


@pytest.fixture
def release() -> Release:
    opened = datetime.fromtimestamp(NOW, UTC)
    asked = Request(Kind.DEPLOY, "c" * 40, "ada")
    ended = datetime.fromtimestamp(NOW + 90, UTC)
    return replace(Release("r1", "adapter-prod", "acme/c/prod", asked, opened), ended=ended)


def test_a_takeover_is_a_higher_fence_after_one_that_had_the_lease(release: Release) -> None:
    journal = [at(1, 0, 0), at(2, 5, 3), at(3, 9, 3), at(4, 40, 5), at(5, 46, 5)]

    assert takeovers(release, journal) == [Takeover("r1", NOW + 40, NOW + 46, NOW + 90)]
    assert takeovers(release, journal[:3]) == []


def test_it_was_ready_when_the_last_thing_needed_was_back() -> None:
    def struck(victim: Victim, fell: float, back: float) -> Struck:
        return Struck(Strike(victim, Blow.KILL, 0, 0, 0), NOW + fell, NOW + back)

    blows = [
        struck(Victim.FLOW, 10, 10),
        struck(Victim.WORKER, 12, 20),
        struck(Victim.FLOW, 50, 50),
    ]

    assert ready(blows, NOW + 30) == NOW + 20
    assert ready([*blows, struck(Victim.REGISTRY, 21, 29)], NOW + 30) == NOW + 20
    assert ready(blows, NOW + 15) == NOW + 15
    assert ready(blows, NOW + 5) is None


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([float(each) for each in range(1, 101)], 0.99) == 99
    assert percentile([3.0], 0.5) == 3.0
    assert math.isnan(percentile([], 0.5))


def test_the_table_counts_every_kind() -> None:
    blow = Struck(Strike(Victim.PULUMI, Blow.STOP, 0, 0, 0), NOW, NOW)

    assert "| pulumi | 0 | 2 | 0 |" in table([blow, blow])

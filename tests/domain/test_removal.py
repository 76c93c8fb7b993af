"""Removal: nothing more goes once anything has come that the plan was not made with."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from slipway.domain.image import Digest, RecordedTag
from slipway.domain.removal import Sight, records_of, require_untouched
from slipway.domain.retention import Deletion
from slipway.errors import InvalidInput

REPOSITORY = "ghcr.io/acme/shop/adapter"
ONE, OTHER = Digest(f"sha256:{'1' * 64}"), Digest(f"sha256:{'2' * 64}")
AT = datetime(2026, 6, 1, tzinfo=UTC)
BEFORE = Sight(frozenset({"a", "b"}), {"a": RecordedTag(ONE, AT)}, {"r1": ONE})


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (replace(BEFORE, tags=frozenset({"a", "b", "c"})), "the tag c is new"),
        (replace(BEFORE, opened={"r1": ONE, "r2": None}), "r2 is open and has not chosen"),
        (replace(BEFORE, opened={"r2": OTHER}), f"r2 has chosen {OTHER} since"),
        (replace(BEFORE, opened={"r1": OTHER}), f"r1 has chosen {OTHER} since"),
        (replace(BEFORE, recorded={"b": RecordedTag(ONE, AT)}), "b was recorded as published"),
        (replace(BEFORE, recorded={"a": RecordedTag(OTHER, AT)}), f"published since, as {OTHER}"),
    ],
)
def test_what_has_come_since_ends_a_plan_and_is_told(now: Sight, told: str) -> None:
    with pytest.raises(InvalidInput, match="look at the plan again") as refused:
        require_untouched(REPOSITORY, BEFORE, now)

    assert told in str(refused.value)


@pytest.mark.parametrize(
    "now",
    [
        BEFORE,
        replace(BEFORE, tags=frozenset({"b"})),
        replace(BEFORE, recorded={}),
        replace(BEFORE, opened={}),
    ],
)
def test_what_has_gone_since_ends_nothing(now: Sight) -> None:
    require_untouched(REPOSITORY, BEFORE, now)


def test_a_release_that_was_choosing_when_the_plan_was_made_may_choose_any_image() -> None:
    choosing = replace(BEFORE, opened={"r1": None})

    with pytest.raises(InvalidInput, match="r1 is open"):
        require_untouched(REPOSITORY, choosing, choosing)


def test_the_records_of_what_is_deleted_go_and_no_other() -> None:
    """Of `moved` somebody has overwritten the tag, which stays true; `untagged` has no tag."""
    published = {"mine": ONE, "moved": ONE, "untagged": ONE, "another": OTHER}
    recorded = {tag: RecordedTag(each, AT) for tag, each in published.items()}
    before = Sight(frozenset({"mine", "unrecorded", "moved", "another"}), recorded, {})

    assert records_of(Deletion(ONE, ("mine", "unrecorded")), before) == {"mine", "untagged"}

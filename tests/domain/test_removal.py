"""Removal: nothing more goes once anything has come that the plan was not made with."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from slipway.domain.image import Digest, RecordedTag
from slipway.domain.removal import (
    Sight,
    records_of,
    require_kept,
    require_unnamed,
    require_untouched,
)
from slipway.domain.retention import Deletion, Plan, Policy
from slipway.errors import ImageMissing, InvalidInput

REPOSITORY = "ghcr.io/acme/shop/adapter"
ONE, OTHER = Digest(f"sha256:{'1' * 64}"), Digest(f"sha256:{'2' * 64}")
AT = datetime(2026, 6, 1, tzinfo=UTC)
TAGS = frozenset({"a", "b", "main"})
BEFORE = Sight(TAGS, {"a": RecordedTag(ONE, AT)}, {"main": ONE}, {"r1": ONE})


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (replace(BEFORE, tags=TAGS | {"c"}), "the tag c is new"),
        (replace(BEFORE, named={"main": OTHER}), f"the tag main was moved to {OTHER} since"),
        (replace(BEFORE, opened={"r1": ONE, "r2": None}), "r2 is open and has not chosen"),
        (replace(BEFORE, opened={"r2": OTHER}), f"r2 has chosen {OTHER} since"),
        (replace(BEFORE, elsewhere={"r2": OTHER}), f"r2 has chosen {OTHER} since"),
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
        replace(BEFORE, named={}),
        replace(BEFORE, recorded={}),
        replace(BEFORE, opened={}),
    ],
)
def test_what_has_gone_since_ends_nothing(now: Sight) -> None:
    require_untouched(REPOSITORY, BEFORE, now)


def test_a_release_that_was_choosing_when_the_plan_was_made_may_choose_any_image() -> None:
    choosing = replace(BEFORE, opened={"r1": None})

    with pytest.raises(InvalidInput, match="r1 is open") as refused:
        require_untouched(REPOSITORY, choosing, choosing)

    assert "slipway recover finishes what a dead process left" in str(refused.value)


def test_whose_release_it_is_not_is_not_told_to_recover_any() -> None:
    with pytest.raises(InvalidInput) as refused:
        require_untouched(REPOSITORY, BEFORE, replace(BEFORE, tags=TAGS | {"c"}, opened={}))

    assert "recover" not in str(refused.value)


@pytest.mark.parametrize("name", [str(ONE), str(OTHER), "a"])
def test_an_image_is_named_by_any_of_its_digests_and_by_its_tags(name: str) -> None:
    going = Deletion(ONE, ("a",), names=frozenset({ONE, OTHER}))
    plan = Plan(REPOSITORY, Policy(), (going,), {})

    require_unnamed(plan, {"b": "the cluster has it"}, [])
    with pytest.raises(InvalidInput, match="look at the plan again") as named:
        require_unnamed(plan, {name: "the cluster has it", "b": "it too"}, [])
    with pytest.raises(InvalidInput, match="is deleted already, and named"):
        require_unnamed(plan, {name: "the cluster has it"}, [ONE])

    assert f"{ONE} is named by {name} since (the cluster has it)" in str(named.value)


@pytest.mark.parametrize(
    ("number", "told"), [("17", "restored by version 17"), ("", "pushed again from a copy")]
)
def test_what_was_to_stay_and_is_gone_is_told_with_what_brings_it_back(
    number: str, told: str
) -> None:
    plan = Plan(REPOSITORY, Policy(), (), {ONE: "the cluster has it"}, protected=frozenset({ONE}))

    require_kept(plan, {})
    with pytest.raises(ImageMissing, match="delete nothing more there") as lost:
        require_kept(plan, {ONE: number})

    assert f"{ONE} (the cluster has it)" in str(lost.value)
    assert told in str(lost.value)


def test_the_records_of_what_is_deleted_go_and_no_other() -> None:
    """Of `moved` somebody has overwritten the tag, which stays true; `untagged` has no tag."""
    published = {"mine": ONE, "moved": ONE, "untagged": ONE, "another": OTHER}
    recorded = {tag: RecordedTag(each, AT) for tag, each in published.items()}
    before = Sight(frozenset({"mine", "unrecorded", "moved", "another"}), recorded, {}, {})

    assert records_of(Deletion(ONE, ("mine", "unrecorded")), before) == {"mine", "untagged"}

"""Retention: nothing that anybody may still need is ever in a plan."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.image import Digest
from slipway.domain.inventory import EMPTY, Contents, Inventory
from slipway.domain.measures import DRILL
from slipway.domain.release import Kind, Release, Request, State
from slipway.domain.retention import (
    MOST_AT_ONCE,
    InUse,
    Plan,
    Policy,
    plan_retention,
    require_same,
    still_kept,
)
from slipway.errors import InvalidInput

NOW = datetime(2026, 6, 1, tzinfo=UTC)
REPOSITORY = "ghcr.io/acme/shop/adapter"
POLICY = Policy()
OLD = NOW - timedelta(days=365)


def digest(number: int) -> Digest:
    return Digest(f"sha256:{number:064x}")


def tag(number: int) -> str:
    return f"{number:040x}"


def signature_tag(of: Digest, suffix: str = ".sig") -> str:
    return f"sha256-{of.value.removeprefix('sha256:')}{suffix}"


INDEX, CHILD, CONFIG, OTHER, SIGNATURE = map(digest, range(1, 6))
IMAGES = {
    INDEX: Contents(INDEX, (CHILD,), bytes=1),
    CHILD: Contents(CHILD, config=CONFIG, bytes=10),
    OTHER: Contents(OTHER, bytes=100),
}


def inventory(**tags: Digest) -> Inventory:
    named = {name.removeprefix("t"): each for name, each in tags.items()}
    return Inventory(REPOSITORY, named, IMAGES)


def two_old_images() -> Inventory:
    return Inventory(REPOSITORY, {tag(1): INDEX, tag(2): OTHER}, IMAGES)


def in_use(**more: object) -> InUse:
    made = InUse(born={tag(1): OLD, tag(2): OLD})
    return replace(made, **more)  # type: ignore[arg-type] # tests name real fields


def planned(held: Inventory, used: InUse, policy: Policy = POLICY) -> Plan:
    return plan_retention(held, used, policy, NOW)


def going(plan: Plan) -> set[Digest]:
    return {each for some in plan.deletions for each in (some.digest, *some.parts)}


def test_what_nobody_needs_goes_with_its_parts_after_it() -> None:
    plan = planned(two_old_images(), in_use())

    assert [(each.digest, each.parts, each.tags) for each in plan.deletions] == [
        (INDEX, (CHILD,), (tag(1),)),
        (OTHER, (), (tag(2),)),
    ]
    assert plan.bytes == 111
    assert plan.kept == {}


@pytest.mark.parametrize("named", [INDEX, CHILD, CONFIG])
def test_an_image_stays_by_whichever_of_its_digests_a_runtime_names_it(named: Digest) -> None:
    plan = planned(two_old_images(), in_use(digests={named: "the cluster has it"}))

    assert going(plan) == {OTHER}
    assert INDEX in plan.kept


def test_an_image_stays_by_a_tag_that_somebody_names() -> None:
    plan = planned(two_old_images(), in_use(tags={tag(1): "ESC had it"}))

    assert going(plan) == {OTHER}
    assert plan.kept == {INDEX: "ESC had it"}


@pytest.mark.parametrize("name", ["main", "v1.2.3", "latest", "buildcache", "abc1234"])
def test_a_tag_that_is_no_commits_keeps_its_image(name: str) -> None:
    held = Inventory(REPOSITORY, {tag(1): INDEX, name: INDEX, tag(2): OTHER}, IMAGES)

    assert going(planned(held, in_use())) == {OTHER}


def live(image: Digest, days: int, by: str = "ada") -> Release:
    """It became live so many days ago."""
    request = Request(Kind.DEPLOY, "x", by)
    since = NOW - timedelta(days=days)
    return Release(f"r{days}", "t", "s", request, since, State.LIVE, digest=image, live_since=since)


def test_so_many_images_are_kept_as_releases_made_live_and_what_a_drill_did_counts_for_none() -> (
    None
):
    """Whatever was live again in between is kept beside them."""
    a, b, c, d = (digest(number) for number in (61, 62, 63, 64))
    history = [live(a, 1, DRILL), live(b, 2, DRILL), live(a, 3), live(a, 4), live(c, 5)]
    older = [live(b, 6), live(d, 7)]

    kept = still_kept([*history, *older], Policy(keep_live=2))

    assert kept == history
    assert still_kept(history[2:], Policy(keep_live=1)) == history[2:4]


def test_what_is_young_stays_and_what_nobody_can_date_stays() -> None:
    young = in_use(born={tag(1): NOW - timedelta(days=29), tag(2): OLD})
    undated = in_use(born={tag(2): OLD})

    assert going(planned(two_old_images(), young)) == {OTHER}
    assert going(planned(two_old_images(), undated)) == {OTHER}


def test_one_young_tag_keeps_an_image_that_an_old_commit_shares() -> None:
    held = Inventory(REPOSITORY, {tag(1): INDEX, tag(3): INDEX}, IMAGES)

    assert going(planned(held, in_use(born={tag(1): OLD, tag(3): NOW}))) == set()


@pytest.mark.parametrize("suffix", [".sig", ".att", ".sbom", ""])
def test_a_signature_goes_and_stays_with_what_it_signs(suffix: str) -> None:
    signed = {tag(1): INDEX, tag(2): OTHER, signature_tag(INDEX, suffix): SIGNATURE}
    held = Inventory(REPOSITORY, signed, {**IMAGES, SIGNATURE: Contents(SIGNATURE)})

    assert SIGNATURE in going(planned(held, in_use()))
    assert SIGNATURE not in going(planned(held, in_use(digests={INDEX: "it runs"})))


def test_a_signature_goes_although_another_one_that_stays_is_as_empty_as_it_is() -> None:
    another = digest(6)
    held = Inventory(
        REPOSITORY,
        {
            tag(1): INDEX,
            tag(2): OTHER,
            signature_tag(INDEX): SIGNATURE,
            signature_tag(OTHER): another,
        },
        {
            **IMAGES,
            SIGNATURE: Contents(SIGNATURE, config=EMPTY),
            another: Contents(another, config=EMPTY),
        },
    )

    assert going(planned(held, in_use(digests={OTHER: "it runs"}))) == {INDEX, CHILD, SIGNATURE}


def test_a_referrer_goes_and_stays_with_its_subject() -> None:
    held = Inventory(
        REPOSITORY,
        {tag(1): INDEX, tag(2): OTHER},
        {**IMAGES, SIGNATURE: Contents(SIGNATURE, subject=INDEX)},
        {INDEX: frozenset({SIGNATURE})},
    )

    assert SIGNATURE in going(planned(held, in_use()))
    assert SIGNATURE not in going(planned(held, in_use(digests={CHILD: "it runs"})))


def test_a_signature_of_what_is_not_here_stays() -> None:
    held = Inventory(
        REPOSITORY, {signature_tag(digest(99)): SIGNATURE}, {SIGNATURE: Contents(SIGNATURE)}
    )

    assert going(planned(held, in_use())) == set()


def test_a_part_that_another_image_has_stays_with_that() -> None:
    shared = {**IMAGES, OTHER: Contents(OTHER, (CHILD,))}
    held = Inventory(REPOSITORY, {tag(1): INDEX, tag(2): OTHER}, shared)

    assert going(planned(held, in_use(tags={tag(2): "it was live"}))) == set()
    both = planned(held, in_use())
    assert [each.parts for each in both.deletions] == [(), (CHILD,)]


def test_one_plan_deletes_only_so_many_the_oldest_first() -> None:
    count = MOST_AT_ONCE + 5
    held = Inventory(REPOSITORY, {tag(n): digest(n) for n in range(1, count + 1)}, {})
    born = {tag(n): OLD + timedelta(hours=n) for n in range(1, count + 1)}

    plan = planned(held, InUse(born=born))

    assert len(plan.deletions) == Policy().at_once == MOST_AT_ONCE
    assert plan.left_for_later == 5
    assert digest(1) in going(plan)
    assert digest(count) not in going(plan)


def test_a_plan_has_the_same_hash_only_for_the_same_deletions() -> None:
    plan = planned(two_old_images(), in_use())
    other = planned(two_old_images(), in_use(tags={tag(2): "it was live"}))

    assert plan.hash == planned(two_old_images(), in_use()).hash != other.hash
    require_same(plan, plan.hash)
    with pytest.raises(InvalidInput, match="look at the plan again"):
        require_same(other, plan.hash)


DIGESTS = [digest(number) for number in range(1, 13)]
SOME = st.sampled_from(DIGESTS)


@st.composite
def repositories(draw: st.DrawFn) -> Inventory:
    """Whatever a registry may hold: shared parts, nested indices, signatures, odd tags, gaps."""
    contents = {}
    for each in draw(st.sets(SOME)):
        contents[each] = Contents(
            each,
            tuple(draw(st.lists(SOME, max_size=3, unique=True))),
            draw(st.none() | SOME),
            draw(st.none() | SOME),
        )
    names = st.one_of(
        st.integers(0, 30).map(tag),
        st.sampled_from(["main", "v1", "latest"]),
        SOME.map(signature_tag),
    )
    tags = draw(st.dictionaries(names, SOME, max_size=12))
    referrers = draw(st.dictionaries(SOME, st.frozensets(SOME, max_size=2), max_size=3))
    return Inventory(REPOSITORY, tags, contents, referrers)


@st.composite
def usages(draw: st.DrawFn) -> InUse:
    why = st.just("it is needed")
    ages = st.sampled_from([OLD, NOW - timedelta(days=5), NOW])
    return InUse(
        draw(st.dictionaries(SOME, why, max_size=3)),
        draw(st.dictionaries(st.integers(0, 30).map(tag), why, max_size=3)),
        draw(st.dictionaries(st.integers(0, 30).map(tag), ages, max_size=20)),
    )


def roots(held: Inventory, used: InUse) -> Iterator[Digest]:
    """What must stay for itself: said here once more, in other words than the plan's."""
    yield from used.digests
    for name, each in held.tags.items():
        signature = name.startswith("sha256-")
        commit = len(name) == 40
        born = used.born.get(name)
        young = commit and (born is None or born > NOW - POLICY.younger_than)
        if name in used.tags or young or not (commit or signature):
            yield each


def needed(held: Inventory, used: InUse) -> set[Digest]:
    """Everything that a puller, or a verifier, of what must stay could ask for."""
    must = set(roots(held, used))
    while True:
        more = set()
        for each in held.contents.values():
            parts = {*each.children, *([each.config] if each.config else [])}
            if each.digest in must or parts & must:
                more |= {each.digest, *parts}
            if each.subject in must:
                more.add(each.digest)
        for subject, found in held.referrers.items():
            more |= set(found) if subject in must else set()
        more |= {
            each for name, each in held.tags.items() for of in must if name == signature_tag(of)
        }
        if more <= must:
            return must
        must |= more


@given(repositories(), usages())
def test_nothing_that_is_needed_is_ever_in_a_plan(held: Inventory, used: InUse) -> None:
    plan = planned(held, used)

    assert not going(plan) & needed(held, used)
    assert needed(held, used) & {*held.contents} <= plan.protected
    assert not going(plan) & plan.protected


def test_of_very_many_that_may_go_one_plan_has_the_oldest_hundred_and_counts_the_others() -> None:
    count = 1_000
    contents = {}
    for number in range(count):
        parts = (digest(10**6 + number), digest(2 * 10**6 + number))
        contents[digest(number)] = Contents(digest(number), parts)
        contents |= {each: Contents(each, config=digest(3 * 10**6 + number)) for each in parts}
    tags = {tag(number): digest(number) for number in range(count)}

    plan = planned(Inventory(REPOSITORY, tags, contents), InUse(born=dict.fromkeys(tags, OLD)))

    assert (len(plan.deletions), plan.left_for_later) == (MOST_AT_ONCE, count - MOST_AT_ONCE)


@given(repositories(), usages())
def test_only_what_a_commits_tag_names_goes_and_its_own_parts(held: Inventory, used: InUse) -> None:
    """Being untagged is no reason to go."""
    plan = planned(held, used)

    for each in plan.deletions:
        assert any(len(name) == 40 for name in each.tags)
        assert set(each.tags) == {name for name, of in held.tags.items() if of == each.digest}
        own = {each.digest, *held.contents.get(each.digest, Contents(each.digest)).children}
        for part in set(each.parts) - own:
            signed = {name for name, of in held.tags.items() if of == part}
            subject = held.contents[part].subject if part in held.contents else None
            referred = any(part in found for of, found in held.referrers.items() if of in own)
            assert subject in own or referred or signed & {signature_tag(of) for of in own}


@given(repositories(), usages())
def test_a_plan_names_everything_once(held: Inventory, used: InUse) -> None:
    plan = planned(held, used)
    named = [each for some in plan.deletions for each in (some.digest, *some.parts)]

    assert len(named) == len(set(named))
    assert set(plan.kept) | {each.digest for each in plan.deletions} <= {*held.tags.values()} | set(
        going(plan)
    )


def test_what_an_image_shares_with_one_that_is_left_for_later_is_left_with_it() -> None:
    shared = {**IMAGES, OTHER: Contents(OTHER, (CHILD,))}
    held = Inventory(REPOSITORY, {tag(1): INDEX, tag(2): OTHER}, shared)

    plan = planned(held, in_use(), Policy(at_once=1))

    assert [(each.digest, each.parts) for each in plan.deletions] == [(INDEX, ())]
    assert plan.left_for_later == 1


def test_an_image_goes_before_another_that_is_a_part_of_it_however_old_that_is() -> None:
    """An index over an older image with a tag of its own: a crash must leave no bare index."""
    held = Inventory(REPOSITORY, {tag(1): CHILD, tag(2): INDEX}, IMAGES)
    used = InUse(born={tag(1): OLD, tag(2): OLD + timedelta(days=1)})

    both, first = planned(held, used), planned(held, used, Policy(at_once=1))

    assert [(each.digest, each.parts) for each in both.deletions] == [(INDEX, ()), (CHILD, ())]
    assert [(each.digest, each.parts) for each in first.deletions] == [(INDEX, ())]


@given(repositories(), usages(), st.integers(1, 4))
def test_whatever_is_left_for_later_keeps_its_parts_until_then(
    held: Inventory, used: InUse, at_once: int
) -> None:
    whole, first = planned(held, used), planned(held, used, Policy(at_once=at_once))

    assert first.deletions == whole.deletions[:at_once]
    assert first.left_for_later == len(whole.deletions) - len(first.deletions)
    parts = {part for each in first.deletions for part in each.parts}
    for each in whole.deletions[at_once:]:
        assert not parts & {*held.contents.get(each.digest, Contents(each.digest)).children}


@given(repositories(), usages(), st.integers(1, 4))
def test_when_a_plan_is_done_nothing_that_stays_has_lost_a_part(
    held: Inventory, used: InUse, at_once: int
) -> None:
    gone = going(planned(held, used, Policy(at_once=at_once)))
    stays = {each for each in held.tags.values() if each not in gone}

    for each in stays:
        found = held.contents.get(each)
        assert found is None or not set(found.children) & gone

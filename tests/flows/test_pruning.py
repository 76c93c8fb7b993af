"""Pruning the seed's system in memory: a plan on facts all read, and exactly that plan."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, cast

import pytest

from flows.auditing import audit
from flows.deleting import LATELY, MOST_IN_A_ROW
from flows.deploy import release as deploy
from flows.full_drill import drill_fully
from flows.pruning import Pruned, apply, by_repository, plan
from flows.rollback import release as roll_back
from slipway.domain.commit import Commit
from slipway.domain.config import KeyForm
from slipway.domain.drill import Result
from slipway.domain.hold import NewHold
from slipway.domain.image import Digest, ImageReference
from slipway.domain.inventory import Contents
from slipway.domain.release import Outcome, Release, State
from slipway.domain.retention import Plan, Policy
from slipway.errors import (
    AccessDenied,
    ConfigKeyUnusable,
    ImageMissing,
    InvalidInput,
    LeaseLost,
    RegistryUnusable,
    SlipwayError,
    Unreachable,
)
from slipway.ports import Ledger, StackUpdate
from slipway.tasks.candidates import list_candidates
from tests.fakes.faults import raising
from tests.fakes.images import digest_of, make_image
from tests.fakes.restrictions import EPOCH
from tests.fakes.world import World, deploy_request, rollback_request

LATER = EPOCH + timedelta(days=100)
MUCH_LATER = EPOCH + timedelta(days=400)
POLICY = Policy(keep_live=2)
ADAPTER = "ghcr.io/acme/shop/ls-triton-adapter"
NAMES = ("one", "two", "three", "four", "five")
READS = (
    "registry.tags",
    "registry.contents",
    "registry.referrers",
    "registry.find",
    "cluster.images",
    "config.history",
    "stack.state",
    "source.fetch",
)


async def aged() -> World:
    """Five commits that only CI has published, then three that were deployed."""
    world = World.seeded()
    for number, name in enumerate(NAMES):
        text = {"adapter/app.py": f"good {100 + number}"}
        world.commits[name] = world.git.commit(name, text)
        world.publish(name)
    for number in range(3):
        name = f"live-{number}"
        world.commits[name] = world.git.commit(name, {"adapter/app.py": f"good {200 + number}"})
        outcome = await deploy(world.ports(), deploy_request(world.commits[name].sha))
        assert outcome.state is State.LIVE, outcome.release.reason
        await asyncio.sleep(60)
    return world


async def publish_only(world: World, name: str, text: str) -> None:
    """What automation has published under a hold, and nobody ever deployed."""
    world.commits[name] = world.git.commit(name, {"adapter/app.py": text})
    hold = await world.ledger.place_hold(world.target.name, NewHold("freeze", "bob"))
    request = replace(deploy_request(world.commits[name].sha), automatic=True)
    outcome = await deploy(world.ports(), request)
    assert outcome.code == "held"
    assert world.digest_of(name) is not None
    await world.ledger.lift_hold(hold.number, "bob", "over")


async def planned(world: World, policy: Policy = POLICY, at: datetime = LATER) -> Plan:
    return await plan([world.ports()], policy, at)


class Without:
    """A port of which one method does not answer."""

    def __init__(self, port: object, method: str) -> None:
        self._port, self._method = port, method

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            raise Unreachable(f"{name}: no route to host")
        return getattr(self._port, name)


def names(world: World, made: Plan) -> set[str]:
    known = {commit.sha: name for name, commit in world.commits.items()}
    return {known[tag] for each in made.deletions for tag in each.tags}


async def test_what_was_published_long_ago_and_never_live_may_go() -> None:
    world = await aged()

    made = await planned(world)

    assert names(world, made) == set(NAMES)


async def test_what_is_live_or_was_or_stands_in_escs_history_stays() -> None:
    """The first image was only ever run by hand: ESC's own history is what remembers it."""
    world = await aged()
    world.deployment.sets = world.deployment.sets[-1:]  # revisionHistoryLimit has passed

    made = await planned(world)

    reasons = " ".join(made.kept.values())
    for why in ("the cluster has it", "ESC has or had it"):
        assert why in reasons
    first = world.digest_of("first")
    assert first in made.kept


@pytest.mark.parametrize(
    "value",
    [
        "{repository}:{commit}",
        "{repository}:{commit}@{digest}",
        "ls-triton-adapter:{commit}",
        "ls-triton-adapter@{digest}",
        "{commit}",
        "{hex}",
        '["x", "{commit}"]',
        " https://{repository}:{commit}\n",
    ],
)
async def test_what_esc_had_in_whatever_words_stays(value: str) -> None:
    """A key may have held a tag alone, which the program put behind the repository's name."""
    world = await aged()
    digest = str(world.digest_of("three"))
    told = {
        "repository": world.target.service.repository,
        "commit": world.commits["three"].sha,
        "digest": digest,
        "hex": digest.partition(":")[2],
    }
    now = world.value
    world.config.edit("bob", adapterImage=value.replace("{", "{0[").replace("}", "]}").format(told))
    world.config.edit("bob", adapterImage=now)

    assert names(world, await planned(world)) == set(NAMES) - {"three"}


@pytest.mark.parametrize("how", ["{commit}", "x/adapter@{digest}", '["a", {{"b": "{commit}"}}]'])
async def test_what_esc_named_under_any_other_key_stays(how: str) -> None:
    """Another program's key, or one where a person keeps what was good last."""
    world = await aged()
    told = how.format(commit=world.commits["three"].sha, digest=world.digest_of("three"))
    world.config.edit("bob", lastGood=told)
    world.config.edit("bob", lastGood=None)

    made = await planned(world)

    assert names(world, made) == set(NAMES) - {"three"}
    kept = world.digest_of("three")
    assert kept is not None
    environment = world.target.config_key.environment_name
    assert made.kept[kept] == f"ESC environment {environment} names or has named it"


async def test_a_key_whose_history_can_not_be_told_ends_the_planning() -> None:
    world = await aged()
    now = world.value
    world.config.edit("bob", adapterImage=KeyForm.SECRET)
    world.config.edit("bob", adapterImage=now)

    with pytest.raises(ConfigKeyUnusable, match="can't be told"):
        await planned(world)


async def test_an_image_that_anybody_in_the_cluster_runs_stays() -> None:
    world = await aged()
    repository = world.target.service.repository
    world.cluster.other_images = {f"{repository}:{world.commits['one']}"}
    child = next(
        image.child
        for image in world.registry.images.values()
        if image.digest == world.digest_of("two")
    )
    world.cluster.other_images.add(f"mirror.local/adapter@{child}")

    assert names(world, await planned(world)) == set(NAMES) - {"one", "two"}


async def test_what_a_hold_is_about_stays() -> None:
    world = await aged()
    hold = NewHold("watch it", "ada", about=world.commits["three"])
    await world.ledger.place_hold(world.target.name, hold)

    assert names(world, await planned(world)) == set(NAMES) - {"three"}


async def test_what_is_young_stays() -> None:
    world = await aged()

    assert names(world, await planned(world, at=EPOCH + timedelta(days=20))) == set()


@pytest.mark.parametrize("ahead", ["the ledger's", "this machine's", "both"])
async def test_a_clock_that_is_ahead_lets_nothing_go_that_the_other_calls_young(
    ahead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await aged()
    days = timedelta(days=100)
    if ahead != "this machine's":
        world.ledger.skew = days.total_seconds()

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override] # of this test
            return (EPOCH if ahead == "the ledger's" else EPOCH + days).astimezone(tz)

    monkeypatch.setattr("flows.pruning.datetime", Clock)

    made = await plan([world.ports()], POLICY)

    assert names(world, made) == ({*NAMES} if ahead == "both" else set())


@pytest.mark.parametrize("created", [LATER - timedelta(days=1), None])
async def test_a_young_image_of_an_old_commit_stays_where_nobody_recorded_it(
    created: datetime | None,
) -> None:
    """Somebody's CI has built it anew; a reproducible build does not say when it was built."""
    world = await aged()
    world.change_image("two", created=created)

    assert names(world, await planned(world)) == set(NAMES) - {"two"}


async def test_the_age_of_an_image_is_not_that_of_the_one_whose_tag_it_has_taken() -> None:
    world = World.seeded()
    await deploy(world.ports(), deploy_request(world.commits["second"].sha))
    await publish_only(world, "fourth", "good 4")
    assert names(world, await planned(world, at=MUCH_LATER)) == {"fourth"}
    again = replace(make_image("pushed again", {}), created=MUCH_LATER - timedelta(days=1))
    world.registry.put(world.target.service.repository, world.commits["fourth"].sha, again)

    assert names(world, await planned(world, at=MUCH_LATER)) == set()


async def test_every_target_of_the_repository_has_a_say() -> None:
    """Two targets of one image: what a hold at either is about stays."""
    world = await aged()
    world.targets["staging"] = replace(world.target, name="staging")
    hold = NewHold("watch it", "ada", about=world.commits["three"])
    await world.ledger.place_hold("staging", hold)
    both = [world.ports(), world.ports("staging")]

    made = await plan(both, POLICY, LATER)

    assert list(by_repository(both).values()) == [both]
    assert names(world, made) == set(NAMES) - {"three"}


async def gone_target(world: World, name: str, state: State = State.LIVE) -> Release:
    """What the ledger has of a target of another cluster that has left slipway.toml."""
    target, commit = replace(world.target, name="edge"), world.commits[name]
    opened = await world.ledger.open(target, deploy_request(commit.sha))
    image = ImageReference(world.target.service.repository, commit.sha, world.digest_of(name))
    chosen = replace(opened, stack="edge", commit=commit, digest=image.digest, image=str(image))
    return await world.ledger.save(chosen if state is State.RELEASING else chosen.to(state))


@pytest.mark.parametrize("state", [State.LIVE, State.RELEASING])
async def test_what_a_target_that_has_left_slipway_toml_has_live_stays(state: State) -> None:
    """Nobody looks at its cluster any more, and it may run there still."""
    world = await aged()
    await gone_target(world, "one", state)

    made = await planned(world)

    assert names(world, made) == set(NAMES) - {"one"}
    kept = world.digest_of("one")
    assert kept is not None
    assert "edge, which is no target of the repository now" in made.kept[kept]


async def test_of_a_target_that_has_left_only_the_newest_live_images_stay() -> None:
    world = await aged()
    for name in ("one", "two", "three"):
        await gone_target(world, name)
        await asyncio.sleep(60)

    assert names(world, await planned(world)) == set(NAMES) - {"two", "three"}


async def test_what_a_hold_at_a_target_that_has_left_is_about_stays() -> None:
    world = await aged()
    await gone_target(world, "one")
    await world.ledger.place_hold("edge", NewHold("watch it", "ada", about=world.commits["two"]))

    assert names(world, await planned(world)) == set(NAMES) - {"one", "two"}


async def test_another_repositorys_image_of_the_same_commit_keeps_nothing() -> None:
    world = await aged()
    release = await gone_target(world, "one", State.RELEASING)
    other = release.image.replace("adapter:", "sink:")
    await world.ledger.save(
        replace(release, image=other, digest=digest_of("a sink")).to(State.LIVE)
    )

    assert names(world, await planned(world)) == set(NAMES)


async def test_what_becomes_live_at_a_target_of_nobodys_here_ends_a_prune() -> None:
    """Another slipway.toml has it: the leases that are held here do not keep it still."""
    world = await aged()
    made = await planned(world)

    async def begin() -> None:
        await gone_target(world, "five")

    world.faults.after("registry.remove", begin)
    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert f"has chosen {world.digest_of('five')} since" in str(pruned.stopped)
    assert len(world.registry.removed) == 1


@pytest.mark.parametrize("method", ["history", "holds", "published_tags", "elsewhere"])
async def test_a_ledger_that_can_not_be_read_ends_the_planning(method: str) -> None:
    world = await aged()
    ports = world.ports()
    failing = replace(ports, ledger=cast("Ledger", Without(ports.ledger, method)))

    with pytest.raises(Unreachable, match=method):
        await plan([failing], POLICY, LATER)


@pytest.mark.parametrize("effect", READS)
@pytest.mark.parametrize("error", [AccessDenied("no: ask somebody"), Unreachable("no: try again")])
async def test_a_read_that_fails_ends_the_planning(effect: str, error: SlipwayError) -> None:
    world = await aged()
    world.faults.always(effect, error)

    with pytest.raises(type(error)):
        await planned(world)


@pytest.mark.parametrize("effect", READS)
async def test_a_read_that_fails_while_a_plan_is_applied_deletes_nothing(effect: str) -> None:
    world = await aged()
    made = await planned(world)
    world.faults.always(effect, AccessDenied("no: ask somebody"))

    with pytest.raises(AccessDenied):
        await apply([world.ports()], POLICY, made.hash, LATER)

    assert world.registry.removed == []


async def test_exactly_the_plan_is_deleted_and_nothing_else() -> None:
    world = await aged()
    before = {digest for _, digest in world.registry.images}
    made = await planned(world)

    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    expected = {each for some in made.deletions for each in (some.digest, *some.parts)}
    assert set(pruned.deleted) == expected == set(world.registry.removed)
    gone = before - {digest for _, digest in world.registry.images}
    assert gone == {each.digest for each in made.deletions}
    assert (await planned(world)).deletions == ()


def refuse(world: World, *digests: Digest) -> None:
    """As GHCR refuses public versions of more than 5,000 downloads."""
    remove = world.registry.remove

    async def refusing(repository: str, digest: Digest) -> None:
        if digest in digests:
            raise AccessDenied("no version with more than 5,000 downloads goes: ask its support")
        await remove(repository, digest)

    world.registry.remove = refusing  # type: ignore[method-assign] # a registry with a rule more


async def five_published(world: World) -> Plan:
    """What the ledger has recorded of the five, and the plan that lets them go."""
    for name in NAMES:
        digest = world.digest_of(name)
        assert digest is not None
        tag = ImageReference(ADAPTER, world.commits[name].sha)
        await world.ledger.record_published(tag, digest, f"{name:0>64}")
    return await planned(world, at=MUCH_LATER)


async def test_an_image_that_the_registry_refuses_to_delete_keeps_no_other_back() -> None:
    """It and its record stay as they were, with all its parts."""
    world = await aged()
    made = await five_published(world)
    first = made.deletions[0]
    before = (await world.ledger.published_tags(ADAPTER))[first.tags[0]]
    refuse(world, first.digest)

    pruned = await apply([world.ports()], POLICY, made.hash, MUCH_LATER)

    assert pruned.stopped is None
    assert {*pruned.refused} == {first.digest}
    assert "5,000 downloads" in pruned.refused[first.digest]
    expected = {each for some in made.deletions[1:] for each in (some.digest, *some.parts)}
    assert {*pruned.deleted} == expected == {*world.registry.removed}
    assert (await world.ledger.published_tags(ADAPTER))[first.tags[0]] == before


async def test_what_the_registry_has_refused_is_told_so_and_goes_last_in_the_next_plan() -> None:
    """So that a plan's hundred are not filled by it for ever."""
    world = await aged()
    made = await five_published(world)
    first, at_once = made.deletions[0], replace(POLICY, at_once=1)
    refuse(world, first.digest)
    one = await planned(world, at_once, MUCH_LATER)
    assert [each.digest for each in one.deletions] == [first.digest]
    await apply([world.ports()], at_once, one.hash, MUCH_LATER)

    following, whole = [await planned(world, each, MUCH_LATER) for each in (at_once, POLICY)]

    assert first.digest not in {each.digest for each in following.deletions}
    assert whole.deletions[-1].digest == first.digest
    assert "5,000 downloads" in whole.deletions[-1].refused
    assert [each.refused for each in whole.deletions[:-1]] == [""] * (len(whole.deletions) - 1)


async def test_a_token_that_may_delete_nothing_is_refused_only_a_few_images() -> None:
    world = await aged()
    made = await five_published(world)
    before = await world.ledger.published_tags(ADAPTER)
    world.faults.always("registry.remove", AccessDenied("no: give the token delete:packages"))

    pruned = await apply([world.ports()], POLICY, made.hash, MUCH_LATER)

    assert isinstance(pruned.stopped, AccessDenied)
    assert len(pruned.refused) == MOST_IN_A_ROW == 3
    assert pruned.deleted == ()
    assert await world.ledger.published_tags(ADAPTER) == before


async def test_however_many_were_refused_before_are_asked_for_once_more_and_end_nothing() -> None:
    world = await aged()
    made = await five_published(world)
    refuse(world, *(each.digest for each in made.deletions))
    found = []
    for _ in range(3):
        made = await planned(world, at=MUCH_LATER)
        pruned = await apply([world.ports()], POLICY, made.hash, MUCH_LATER)
        found.append((len(pruned.refused), pruned.stopped is None))

    assert found == [(3, False), (5, True), (5, True)]


async def test_what_belongs_to_a_refused_image_goes_with_no_other() -> None:
    """A platform that another image shares, or that has a tag of its own, and its signature."""
    world = await aged()
    index, platform, shared = world.digest_of("one"), world.digest_of("two"), digest_of("shared")
    assert index is not None
    assert platform is not None
    for whole in ("over", "beside"):
        outer = digest_of(whole)
        parts = (shared, platform) if whole == "over" else (shared,)
        world.registry.attached[ADAPTER, outer] = Contents(outer, parts)
    world.registry.attached[ADAPTER, shared] = Contents(shared)
    signature = digest_of("signature of the shared")
    world.registry.attached[ADAPTER, signature] = Contents(signature)
    world.registry.tagged[ADAPTER, f"{shared}.sig".replace(":", "-")] = signature
    world.registry.tagged[ADAPTER, world.commits["three"].sha] = digest_of("over")
    world.registry.tagged[ADAPTER, world.commits["four"].sha] = digest_of("beside")
    for name in NAMES:
        tag = ImageReference(ADAPTER, world.commits[name].sha)
        found = await world.registry.digest(tag)
        assert found is not None
        await world.ledger.record_published(tag, found)
    made = await planned(world, at=MUCH_LATER)
    everything = {each for some in made.deletions for each in (some.digest, *some.parts)}
    assert {shared, signature, platform, digest_of("over")} <= everything
    refuse(world, digest_of("over"))

    pruned = await apply([world.ports()], POLICY, made.hash, MUCH_LATER)

    child = world.registry.images[ADAPTER, platform].child
    assert {*pruned.deleted} == everything - {shared, signature, platform, child, digest_of("over")}
    assert digest_of("beside") in pruned.deleted
    assert {*pruned.refused} == {digest_of("over"), platform}


async def test_a_refusal_of_what_is_gone_all_the_same_is_a_deletion() -> None:
    world = await aged()
    made = await five_published(world)
    world.faults.after("registry.remove", raising(AccessDenied("404: it is not there")))

    pruned = await apply([world.ports()], POLICY, made.hash, MUCH_LATER)

    assert (pruned.stopped, pruned.refused) == (None, {})
    assert len(pruned.deleted) == sum(1 + len(each.parts) for each in made.deletions)
    assert await world.ledger.refusals(ADAPTER) == {}


async def test_a_blink_after_a_refusal_loses_no_record() -> None:
    """It is looked once more whether the image is there still."""
    world = await aged()
    made = await five_published(world)
    before = await world.ledger.published_tags(ADAPTER)

    def refuse_and_blink() -> None:
        world.faults.before("registry.digest", raising(Unreachable("a blink: try again")))
        raise AccessDenied("no: ask its support")

    world.faults.before("registry.remove", refuse_and_blink)
    pruned = await apply([world.ports()], POLICY, made.hash, MUCH_LATER)

    tag = made.deletions[0].tags[0]
    assert (pruned.stopped, len(pruned.refused)) == (None, 1)
    assert (await world.ledger.published_tags(ADAPTER))[tag] == before[tag]


async def test_what_is_recorded_anew_while_the_registry_refuses_stays_recorded() -> None:
    world = await aged()
    made = await five_published(world)
    tag = ImageReference(ADAPTER, made.deletions[0].tags[0])

    async def record_and_refuse() -> None:
        await world.ledger.record_published(tag, digest_of("built anew"))
        raise AccessDenied("no: ask its support")

    world.faults.before("registry.remove", record_and_refuse)
    pruned = await apply([world.ports()], POLICY, made.hash, MUCH_LATER)

    assert await world.ledger.published(tag) == digest_of("built anew")
    assert "was recorded as published since" in str(pruned.stopped)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_deletion_that_fails_midway_leaves_nothing_untold(moment: str) -> None:
    """One whose answer is lost may be done or not: what restores it is told as well."""
    world = await aged()
    world.registry.restores = True
    made = await planned(world)
    plant = world.faults.before if moment == "before" else world.faults.after
    plant("registry.remove", lambda: None)
    plant("registry.remove", lambda: None)
    plant("registry.remove", raising(Unreachable("the answer is lost: look again")))

    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert pruned.stopped is not None
    assert "the answer is lost" in str(pruned.stopped)
    assert len(pruned.deleted) == 2
    assert set(world.registry.removed) <= set(pruned.restored_by)
    assert await world.ledger.holder(str(world.target.stack)) is None


async def test_what_restores_each_image_is_told_before_the_first_is_deleted() -> None:
    world = await aged()
    world.registry.restores = True
    made = await planned(world)
    told: list[Pruned] = []

    async def hear(pruned: Pruned) -> None:
        assert world.registry.removed == []
        told.append(pruned)

    world.faults.before("registry.remove", raising(asyncio.CancelledError()))
    with pytest.raises(asyncio.CancelledError):
        await apply([world.ports()], POLICY, made.hash, LATER, tell=hear)

    [known] = told
    assert set(known.restored_by) == {
        each for some in made.deletions for each in (some.digest, *some.parts)
    }


async def test_a_plan_that_is_not_the_same_any_more_is_refused() -> None:
    world = await aged()
    made = await planned(world)
    await roll_back(world.ports(), rollback_request(world.commits["one"].sha))

    with pytest.raises(InvalidInput, match="look at the plan again"):
        await apply([world.ports()], POLICY, made.hash, LATER)

    assert world.registry.removed == []


async def test_what_a_deploy_publishes_once_more_meanwhile_is_not_deleted() -> None:
    """Equal inputs take the image that the plan lets go, before the deploy waits for the lease."""
    world = World.seeded()
    await deploy(world.ports(), deploy_request(world.commits["second"].sha))
    await publish_only(world, "fourth", "good 4")
    world.commits["fifth"] = world.git.commit("fifth", {"adapter/app.py": "good 5"})
    world.commits["again"] = world.git.commit("again", {"adapter/app.py": "good 4"})
    made = await planned(world, at=MUCH_LATER)
    assert names(world, made) == {"fourth"}
    deploys: list[asyncio.Task[Outcome]] = []

    async def begin() -> None:
        request = deploy_request(world.commits["again"].sha)
        deploys.append(asyncio.create_task(deploy(world.ports(), request)))
        await asyncio.sleep(5)

    async def soon(_: Pruned) -> None:
        world.faults.before("cluster.images", begin)

    pruned = await apply([world.ports()], POLICY, made.hash, MUCH_LATER, tell=soon)

    assert (pruned.deleted, world.registry.removed) == ((), [])
    assert "has chosen" in str(pruned.stopped)
    [outcome] = await asyncio.gather(*deploys)
    assert (outcome.state, outcome.release.digest) == (State.LIVE, made.deletions[0].digest)


async def test_what_anybody_publishes_between_two_deletions_ends_them() -> None:
    """The platforms of what is pushed now may be those that would go next."""
    world = await aged()
    made = await planned(world)
    again = world.git.commit("again", {"adapter/app.py": "good 300"})
    world.commits["again"] = again

    async def push() -> None:
        world.publish("again")

    world.faults.after("registry.remove", push)
    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert pruned.deleted == (made.deletions[0].digest,)
    assert f"the tag {again} is new" in str(pruned.stopped)
    assert "look at the plan again" in str(pruned.stopped)


async def test_a_deleted_tag_that_is_pushed_again_ends_a_prune() -> None:
    """By whoever else builds: the ledger has nothing of it."""
    world = await aged()
    made = await planned(world)
    known = {commit.sha: name for name, commit in world.commits.items()}
    [tag] = made.deletions[0].tags

    def push() -> None:
        world.publish(known[tag])

    world.faults.after("registry.remove", push)
    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert f"the tag {tag} was moved to" in str(pruned.stopped)
    assert len(world.registry.removed) == 1


def named_by(world: World, form: str, name: str) -> str:
    held = world.registry.held(ImageReference(ADAPTER, world.commits[name].sha))
    assert held is not None
    return form.format(
        repository=ADAPTER, commit=world.commits[name].sha, digest=held.digest, config=held.config
    )


def set_on_the_deployment(world: World, text: str) -> None:
    world.cluster.set_image(world.deployment, text, "kubectl-set")


def run_by_somebody(world: World, text: str) -> None:
    world.cluster.other_images.add(text)


def pin(world: World, text: str) -> None:
    world.config.edit("bob", adapterImage=text)


def note_and_take_away(world: World, text: str) -> None:
    world.config.edit("bob", lastGood=text)
    world.config.edit("bob", lastGood=None)


def apply_by_hand(world: World, text: str) -> None:
    world.resources[0].recorded = text
    world.updates.append(StackUpdate(len(world.updates) + 1, "update", "succeeded", "by hand"))


@pytest.mark.parametrize(
    ("name_it", "form", "who"),
    [
        (set_on_the_deployment, "{repository}:{commit}", "the cluster has it"),
        (run_by_somebody, "{config}", "the cluster has it"),
        (run_by_somebody, "mirror.local/x@{digest}", "the cluster has it"),
        (pin, "{repository}:{commit}@{digest}", "ESC environment"),
        (note_and_take_away, "{commit}", "ESC environment"),
        (apply_by_hand, "{repository}:{commit}", "records it"),
    ],
)
@pytest.mark.parametrize("deletion", [1, 3])
async def test_whoever_names_what_goes_between_two_deletions_ends_them(
    name_it: Callable[[World, str], None], form: str, who: str, deletion: int
) -> None:
    """By hand, where no lease is asked for: `pulumi env set`, `kubectl set image`."""
    world = await aged()
    made = await planned(world)
    last = made.deletions[-1]
    [name] = [each for each in NAMES if world.digest_of(each) == last.digest]
    text = named_by(world, form, name)
    for _ in range(deletion - 1):
        world.faults.after("registry.remove", lambda: None)
    world.faults.after("registry.remove", lambda: name_it(world, text))

    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert f"{last.digest} is named by" in str(pruned.stopped)
    assert who in str(pruned.stopped)
    assert last.digest not in world.registry.removed
    assert len(world.registry.removed) <= deletion + 1


async def test_what_a_hold_is_about_that_is_placed_meanwhile_stays() -> None:
    world = await aged()
    made = await planned(world)
    last = made.deletions[-1]
    hold = NewHold("watch it", "ada", about=Commit(last.tags[0]))

    async def place() -> None:
        await world.ledger.place_hold(world.target.name, hold)

    world.faults.after("registry.remove", place)
    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert "hold 1 is about it" in str(pruned.stopped)
    assert last.digest not in world.registry.removed


async def test_a_rollback_waits_for_no_prune_that_only_plans() -> None:
    world = await aged()
    made = await planned(world)
    outcomes: list[Outcome] = []

    async def go_back() -> None:
        outcomes.append(await roll_back(world.ports(), rollback_request()))

    world.faults.before("registry.contents", go_back)
    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert [each.state for each in outcomes] == [State.LIVE]
    assert pruned.stopped is None
    assert {each.digest for each in made.deletions} <= {*pruned.deleted}


async def test_what_a_rollback_has_made_live_after_the_planning_stays() -> None:
    """No lease is held yet: all that comes from the first look on ends it."""
    world = await aged()
    made = await planned(world)

    async def go_back(_: Pruned) -> None:
        request = rollback_request(world.commits["one"].sha)
        assert (await roll_back(world.ports(), request)).state is State.LIVE

    pruned = await apply([world.ports()], POLICY, made.hash, LATER, tell=go_back)

    assert f"{world.digest_of('one')} is named by" in str(pruned.stopped)
    assert world.registry.removed == []


async def test_a_commits_tag_that_is_pushed_again_before_its_image_goes_ends_a_prune() -> None:
    """What has the tag now may share its platforms."""
    world = await aged()
    made = await planned(world)
    first = made.deletions[0]

    async def push(_: Pruned) -> None:
        again = replace(world.registry.images[ADAPTER, first.digest], digest=digest_of("again"))
        world.registry.put(ADAPTER, first.tags[0], again)

    pruned = await apply([world.ports()], POLICY, made.hash, LATER, tell=push)

    assert f"the tag {first.tags[0]} was moved to {digest_of('again')}" in str(pruned.stopped)
    assert world.registry.removed == []


async def test_whoever_names_what_is_deleted_already_is_told_so() -> None:
    world = await aged()
    made = await planned(world)
    text = f"{ADAPTER}:{made.deletions[0].tags[0]}"
    world.faults.after("registry.remove", lambda: pin(world, text))

    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert f"{made.deletions[0].digest} is deleted already, and named by" in str(pruned.stopped)


async def test_whoever_changes_something_else_meanwhile_ends_nothing() -> None:
    """Also where one look at it fails: it is seen again."""
    world = await aged()
    made = await planned(world)

    def change() -> None:
        world.config.edit("bob", logLevel="debug")
        world.faults.before("config.history", raising(Unreachable("a blink: try again")))

    world.faults.after("registry.remove", change)
    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert pruned.stopped is None
    assert {each.digest for each in made.deletions} <= {*pruned.deleted}


async def test_an_environment_that_nobody_changes_is_read_with_its_history_once() -> None:
    world = await aged()
    made = await planned(world)
    world.faults.effects.clear()

    await apply([world.ports()], POLICY, made.hash, LATER)

    asked = world.faults.effects
    assert (asked.count("config.history"), asked.count("stack.state")) == (1, 1)
    assert asked.count("config.read") == asked.count("cluster.images") == len(made.deletions) + 1


async def test_deleting_many_asks_for_no_more_tags_each_time() -> None:
    """Only the last images' tags, which a list may not show yet, and what is anybody's to move."""
    world = await aged()
    for number in range(30):
        name = f"more-{number}"
        world.commits[name] = world.git.commit(name, {"adapter/app.py": f"good {300 + number}"})
        world.publish(name)
    made = await planned(world)
    world.faults.effects.clear()

    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert pruned.stopped is None
    assert len(pruned.deleted) == 2 * len(made.deletions) > 60
    to_stay = 2 * len(made.protected)
    looks = 2 * len(made.deletions) + 1
    assert world.faults.effects.count("registry.digest") - to_stay <= looks * (LATELY + 2)


async def test_a_deleted_tag_that_is_pushed_again_ends_a_prune_although_no_list_shows_it() -> None:
    world = await aged()
    made = await planned(world)
    known = {commit.sha: name for name, commit in world.commits.items()}
    [tag] = made.deletions[0].tags
    listed = world.registry.tags

    async def behind(repository: str) -> list[str]:
        return [each for each in await listed(repository) if each != tag]

    def push() -> None:
        world.publish(known[tag])
        world.registry.tags = behind  # type: ignore[method-assign] # the list of before

    world.faults.after("registry.remove", push)
    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert f"the tag {tag} was moved to" in str(pruned.stopped)
    assert len(world.registry.removed) == 1


async def test_a_prune_that_was_stopped_until_its_lease_ran_out_deletes_nothing_more() -> None:
    """A rollback may have come and gone meanwhile: no look at what is open shows it."""
    world = await aged()
    made = await planned(world)

    def stop_and_go_on() -> None:
        stack = str(world.target.stack)
        world.ledger.leases[stack] = replace(world.ledger.leases[stack], fence=99)

    world.faults.after("registry.remove", stop_and_go_on)
    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert isinstance(pruned.stopped, LeaseLost)
    assert len(world.registry.removed) == 1


async def test_beside_a_release_that_still_chooses_its_image_nothing_is_deleted() -> None:
    world = await aged()
    opened = await world.ledger.open(world.target, deploy_request(world.commits["one"].sha))
    made = await planned(world)

    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert world.registry.removed == []
    assert f"release {opened.id} is open and has not chosen" in str(pruned.stopped)


async def test_what_is_recorded_as_published_between_two_deletions_ends_them() -> None:
    """A release that came and went meanwhile has found it there."""
    world = await aged()
    made = await planned(world)
    second = made.deletions[1]
    found = ImageReference(world.target.service.repository, second.tags[0])

    async def record() -> None:
        await world.ledger.record_published(found, second.digest)

    world.faults.after("registry.remove", record)
    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert pruned.deleted == (made.deletions[0].digest,)
    assert "was recorded as published since" in str(pruned.stopped)


async def test_a_release_whose_image_goes_while_it_waits_is_refused_and_changes_nothing() -> None:
    """It begins in the very moment that no look before a deletion can see."""
    world = World.seeded()
    await deploy(world.ports(), deploy_request(world.commits["second"].sha))
    await publish_only(world, "fourth", "good 4")
    made = await planned(world, at=MUCH_LATER)
    deploys: list[asyncio.Task[Outcome]] = []

    async def begin() -> None:
        request = deploy_request(world.commits["fourth"].sha)
        deploys.append(asyncio.create_task(deploy(world.ports(), request)))
        await asyncio.sleep(5)

    world.faults.before("registry.remove", begin)
    await apply([world.ports()], POLICY, made.hash, MUCH_LATER)

    [outcome] = await asyncio.gather(*deploys)
    await require_refused_unchanged(world, outcome, "is not in the registry any more")
    tag = ImageReference(world.target.service.repository, world.commits["fourth"].sha)
    assert await world.ledger.published(tag) is None, "the commit may be published again"


@pytest.mark.parametrize(
    ("what_goes", "told"),
    [("the image", "is not in the registry any more"), ("its platform", "no node can pull it")],
)
async def test_a_deploy_looks_at_its_image_again_once_it_may_change_the_stack(
    what_goes: str, told: str
) -> None:
    """Whoever deletes while it waits: nothing asks a node, whose own copy of the image may do."""
    world = World.seeded()
    await deploy(world.ports(), deploy_request(world.commits["second"].sha))
    world.publish("third")
    repository, digest = world.target.service.repository, world.digest_of("third")
    assert digest is not None
    lease = await world.ledger.acquire(str(world.target.stack), "somebody", 600)
    assert lease is not None
    request = deploy_request(world.commits["third"].sha)
    waiting = asyncio.create_task(deploy(world.ports(), request))
    await asyncio.sleep(5)

    spoil = world.registry.delete if what_goes == "the image" else world.registry.lose_platform
    spoil(repository, digest)
    await world.ledger.give_back(lease)

    await require_refused_unchanged(world, await waiting, told)


async def require_refused_unchanged(world: World, outcome: Outcome, told: str) -> None:
    assert (outcome.state, outcome.code) == (State.REFUSED, "image-missing")
    assert told in outcome.release.reason
    assert world.commits["second"].sha in world.deployment.image
    assert world.commits["second"].sha in str(world.value)


@pytest.mark.parametrize("deletion", ["first", "last"])
@pytest.mark.parametrize("what", ["image", "platform"])
async def test_a_prune_that_loses_what_was_to_stay_says_so_and_what_restores_it(
    deletion: str, what: str
) -> None:
    """Whatever takes more than it was asked to: the registry, or somebody else."""
    world = await aged()
    world.registry.restores = True
    made = await planned(world)
    count = sum(1 + len(each.parts) for each in made.deletions)
    repository, live = world.target.service.repository, world.digest_of("live-1")
    assert live is not None
    lost = live if what == "image" else world.registry.images[repository, live].child
    spoil = world.registry.delete if what == "image" else world.registry.lose_platform
    for _ in range(0 if deletion == "first" else count - 1):
        world.faults.after("registry.remove", lambda: None)
    world.faults.after("registry.remove", lambda: spoil(repository, live))

    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert isinstance(pruned.stopped, ImageMissing)
    number = await world.registry.restore_number(repository, lost)
    assert f"{lost} (" in str(pruned.stopped)
    assert f"restored by version {number}" in str(pruned.stopped)
    assert len(pruned.deleted) == (1 if deletion == "first" else count)


async def test_a_prune_that_can_not_look_at_what_stays_says_so() -> None:
    world = await aged()
    made = await planned(world)
    world.faults.after("registry.remove", lambda: no_more_answers(world))

    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert isinstance(pruned.stopped, AccessDenied)
    assert len(pruned.deleted) == 1


def no_more_answers(world: World) -> None:
    world.faults.always("registry.digest", AccessDenied("no: renew the token"))


async def test_a_tag_of_nobodys_commit_that_is_moved_to_what_would_go_ends_a_prune() -> None:
    """Somebody goes back by hand; the deletion would take the tag along."""
    world = await aged()
    made = await planned(world)
    going = made.deletions[1].digest

    def move() -> None:
        world.registry.tagged[world.target.service.repository, "main"] = going

    world.faults.after("registry.remove", move)
    pruned = await apply([world.ports()], POLICY, made.hash, LATER)

    assert f"the tag main was moved to {going} since" in str(pruned.stopped)
    assert going not in world.registry.removed


async def test_no_release_is_at_work_while_a_plan_is_applied() -> None:
    world = await aged()
    made = await planned(world)
    holders: list[str] = []

    async def look() -> None:
        held = await world.ledger.holder(str(world.target.stack))
        holders.append(held.lease.holder if held else "")

    world.faults.before("registry.remove", look)
    await apply([world.ports()], POLICY, made.hash, LATER)

    assert holders == ["prune"]
    assert await world.ledger.holder(str(world.target.stack)) is None


async def pruned_and_built_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> tuple[Digest, Digest]:
    """A commit whose image was pruned is deployed; its build never gives the same digest twice."""
    builds = itertools.count()
    monkeypatch.setattr(
        "tests.fakes.images.make_image",
        lambda text, labels: make_image(f"{text}, build {next(builds)}", labels),
    )
    await deploy(world.ports(), deploy_request(world.commits["second"].sha))
    await publish_only(world, "fourth", "good 4")
    made = await planned(world, at=MUCH_LATER)
    assert names(world, made) == {"fourth"}
    await apply([world.ports()], POLICY, made.hash, MUCH_LATER)
    outcome = await deploy(world.ports(), deploy_request(world.commits["fourth"].sha))
    assert outcome.state is State.LIVE, outcome.release.reason
    assert outcome.release.digest is not None
    return made.deletions[0].digest, outcome.release.digest


async def test_a_pruned_commit_is_deployed_again_and_no_audit_calls_its_tag_overwritten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World.seeded()

    before, after = await pruned_and_built_anew(world, monkeypatch)

    assert before != after == world.digest_of("fourth")
    report = await audit([world.ports()], every_tag=True, complete=True, at=MUCH_LATER)
    assert "IMG004" not in {each.rule for each in report.findings}
    assert dict(report.not_judged) == {}


async def test_a_deletion_that_is_not_seen_to_happen_keeps_nobody_from_publishing_again() -> None:
    world = World.seeded()
    await deploy(world.ports(), deploy_request(world.commits["second"].sha))
    await publish_only(world, "fourth", "good 4")
    made = await planned(world, at=MUCH_LATER)
    world.faults.after("registry.remove", raising(Unreachable("the answer is lost: look again")))

    await apply([world.ports()], POLICY, made.hash, MUCH_LATER)

    tag = ImageReference(world.target.service.repository, world.commits["fourth"].sha)
    await world.ledger.record_published(tag, digest_of("built anew"))


async def test_after_a_prune_the_default_rollback_still_works() -> None:
    world = await aged()
    [before] = [each for each in (await list_candidates(world.ports())).listed if each.is_default]
    made = await planned(world, Policy(keep_live=2))
    await apply([world.ports()], POLICY, made.hash, LATER)

    outcome = await roll_back(world.ports(), rollback_request())

    assert (outcome.state, outcome.release.commit) == (State.LIVE, before.commit)


def nest(world: World, name: str, depth: int) -> Digest:
    """Index in index above a commit's image, so many deep; the outermost takes its tag."""
    repository, tag = world.target.service.repository, world.commits[name].sha
    inner = world.digest_of(name)
    assert inner is not None
    for number in range(depth):
        outer = digest_of(f"index {number} above {name}")
        world.registry.attached[repository, outer] = Contents(outer, (inner,))
        inner = outer
    world.registry.tagged[repository, tag] = inner
    return inner


async def test_an_index_that_is_nested_deeper_than_is_followed_ends_the_planning() -> None:
    """What it is made of could not be kept."""
    world = await aged()
    nest(world, "three", 6)
    third = digest_of("index 2 above three")

    with pytest.raises(RegistryUnusable, match=f"{third} is an index inside 3 others"):
        await planned(world)


async def test_an_index_in_an_index_is_followed() -> None:
    world = await aged()
    innermost = world.digest_of("three")
    assert innermost is not None
    nest(world, "three", 2)

    assert innermost in (await planned(world)).protected


async def test_nightly_full_drills_use_up_none_of_the_releases_that_are_kept() -> None:
    """Each makes two live releases of the same two images."""
    world = World.seeded()
    world.change_target(full_drill=True)
    released = [f"live-{number}" for number in range(10)]
    for number, name in enumerate(released):
        world.commits[name] = world.git.commit(name, {"adapter/app.py": f"good {200 + number}"})
        outcome = await deploy(world.ports(), deploy_request(world.commits[name].sha))
        assert outcome.state is State.LIVE, outcome.release.reason
        await asyncio.sleep(60)
    for _ in range(30):
        assert (await drill_fully(world.ports())).result is Result.WORKS
        await asyncio.sleep(60)
    world.config.revisions = world.config.revisions[-1:]  # ESC has forgotten
    world.deployment.sets = world.deployment.sets[-1:]

    made = await planned(world, Policy())

    assert names(world, made) & set(released) == set()
    kept = {world.digest_of(name) for name in released}
    assert kept <= {*made.kept}


async def test_a_signature_goes_with_its_image_and_stays_with_what_stays() -> None:
    world = await aged()
    repository = world.target.service.repository
    signatures: dict[str, Digest] = {}
    for name in ("one", "live-2"):
        subject = world.digest_of(name)
        assert subject is not None
        signatures[name] = digest_of(f"signature of {name}")
        world.registry.attached[repository, signatures[name]] = Contents(
            signatures[name], subject=subject
        )

    made = await planned(world)

    going = {each for some in made.deletions for each in some.parts}
    assert signatures["one"] in going
    assert signatures["live-2"] not in going

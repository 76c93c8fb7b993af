"""Candidates: what the list says of a commit is what the rollback to it then does."""

import asyncio

import pytest

from flows.deploy import release as deploy
from flows.drilling import drill
from flows.rollback import release as roll_back
from slipway.domain.candidate import Candidate
from slipway.domain.hold import NewVeto
from slipway.domain.release import State
from slipway.tasks.candidate_report import described
from slipway.tasks.candidates import list_candidates
from tests.fakes.images import make_image
from tests.fakes.world import World, deploy_request, rollback_request
from tests.flows.test_audit import look

STORY = ("second", "third", "crashing")


async def told() -> World:
    """A world with a history: adopted, live, live, restored; and images nobody released."""
    world = World.seeded()
    for name in STORY:
        await deploy(world.ports(), deploy_request(world.commits[name].sha))
        await asyncio.sleep(60)
    world.publish("sick")
    world.commits["other"] = world.git.commit("other", {"adapter/app.py": "good 5"}, "side")
    return world


async def listed(world: World) -> dict[str, Candidate]:
    names = {commit: name for name, commit in world.commits.items()}
    found = await list_candidates(world.ports())
    return {names[each.commit]: each for each in found.listed}


async def test_every_commit_with_an_image_is_listed_newest_first_with_its_state() -> None:
    world = await told()

    found = await listed(world)

    assert list(found) == ["sick", "crashing", "third", "second", "first"]
    assert {name: each.states for name, each in found.items()} == {
        "sick": ("never released",),
        "crashing": ("vetoed", "restored"),
        "third": ("live",),
        "second": ("was live",),
        "first": ("was live", "adopted"),
    }
    assert [name for name, each in found.items() if each.is_default] == ["second"]
    assert [name for name, each in found.items() if not each.allowed] == ["third"]
    assert found["second"].last_live is not None
    assert (found["third"].last_live, found["sick"].last_live) == (None, None)


@pytest.mark.parametrize(
    "spoil", ["nothing", "gone", "overwritten", "overwritten and gone", "mislabelled", "platform"]
)
async def test_a_rollback_is_accepted_exactly_where_the_list_says_so(spoil: str) -> None:
    for name in ("sick", *STORY, "first"):
        world = await told()
        _spoil(world, spoil)
        candidate = (await listed(world)).get(name)
        assert candidate is not None

        outcome = await roll_back(world.ports(), rollback_request(world.commits[name].sha))

        refused = outcome.state is State.REFUSED
        assert refused is not candidate.allowed, (name, candidate, outcome.release.reason)
        if refused:
            assert candidate.refusal.partition(":")[0] in outcome.release.reason


def _spoil(world: World, how: str) -> None:
    repository, second = world.target.service.repository, world.commits["second"].sha
    digest = world.digest_of("second")
    assert digest is not None
    if how in {"gone", "overwritten and gone"}:
        world.registry.delete(repository, digest)
    if how in {"overwritten", "overwritten and gone"}:
        world.registry.put(repository, second, make_image("mallory's", {}))
    if how == "mislabelled":
        label = {"org.opencontainers.image.revision": second}
        world.registry.put(repository, world.commits["sick"].sha, make_image("x", label))
    if how == "platform":
        world.cluster.platforms = frozenset({"linux/amd64", "linux/arm64"})


@pytest.mark.parametrize(
    ("spoil", "state"),
    [
        ("gone", "image gone"),
        ("overwritten and gone", "tag overwritten"),
        ("platform", "wrong platform"),
    ],
)
async def test_what_is_wrong_with_an_image_is_told_first(spoil: str, state: str) -> None:
    world = await told()
    _spoil(world, spoil)

    second = (await listed(world))["second"]

    assert second.states[0] == state
    assert second.refusal


async def test_the_default_is_where_a_rollback_to_previous_goes() -> None:
    world = await told()
    await world.ledger.place_veto(world.target.name, NewVeto(world.commits["second"], "bad", "ada"))
    [default] = [each for each in (await listed(world)).values() if each.is_default]

    outcome = await roll_back(world.ports(), rollback_request())

    assert outcome.release.commit == default.commit == world.commits["first"]


async def test_without_a_default_the_list_says_why() -> None:
    world = World.seeded()

    found = await list_candidates(world.ports())

    assert [each.is_default for each in found.listed] == [False]
    assert "no earlier release" in found.no_default


async def test_the_default_is_listed_however_old_it_is() -> None:
    world = await told()
    for number in range(5):
        name = f"later-{number}"
        world.commits[name] = world.git.commit(name, {"adapter/app.py": f"good {number + 10}"})
        world.publish(name)

    found = await list_candidates(world.ports(), limit=2)

    names = [each.info.subject for each in found.listed if each.info]
    assert names == ["later-4", "later-3", "second"]
    assert found.left_out == 7
    every = len(found.listed) + 7
    assert f"slipway candidates here --limit {every}" in described("here", found)
    whole = await list_candidates(world.ports(), limit=every)
    assert (len(whole.listed), whole.left_out) == (every, 0)


async def test_what_is_off_the_main_line_comes_last() -> None:
    world = await told()
    world.publish("other")

    assert list(await listed(world))[-1] == "other"


async def twice_named() -> World:
    """The image of `second`, which is vetoed, was live as that of a later commit, too."""
    world = World.seeded()
    await deploy(world.ports(), deploy_request(world.commits["second"].sha))
    world.git.branches["main"] = world.commits["second"].sha
    world.commits["same"] = world.git.commit("same", {"adapter/README.md": "read me"})
    world.commits["fourth"] = world.git.commit("fourth", {"adapter/app.py": "good 4"})
    for name in ("same", "fourth"):
        await deploy(world.ports(), deploy_request(world.commits[name].sha))
        await asyncio.sleep(60)
    assert world.digest_of("same") == world.digest_of("second")
    await world.ledger.place_veto(world.target.name, NewVeto(world.commits["second"], "x", "ada"))
    return world


async def test_a_vetoed_image_is_no_default_under_another_commits_name_either() -> None:
    world = await twice_named()

    found, drilled = await listed(world), await drill(world.ports())
    outcome = await roll_back(world.ports(), rollback_request())

    assert {name: each.states for name, each in found.items() if "vetoed" in each.states} == {
        "same": ("was live", "vetoed"),
        "second": ("was live", "vetoed"),
    }
    assert [name for name, each in found.items() if each.is_default] == ["first"]
    assert drilled.to == outcome.release.commit == world.commits["first"]


async def test_a_vetoed_image_is_not_counted_among_the_ways_back_that_are_left() -> None:
    world = await twice_named()
    first = world.digest_of("first")
    assert first is not None
    world.registry.delete(world.target.service.repository, first)

    assert "IMG012" in {each.rule for each in (await look(world)).findings}

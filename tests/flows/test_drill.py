"""A drill says beforehand what the rollback would then do, and changes nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from flows.deploy import release as deploy
from flows.drill import as_prefect_state
from flows.drilling import drill
from flows.full_drill import drill_all, drill_fully
from flows.rollback import release as roll_back
from slipway.domain.change import PathChange, ResourceChange
from slipway.domain.drill import Drill, Result
from slipway.domain.hold import NewHold, NewVeto
from slipway.domain.image import Digest
from slipway.domain.release import Kind, State
from slipway.errors import InvalidInput, PreviewFailed, Unreachable
from slipway.tasks.baseline import adopt_what_runs
from tests.fakes.faults import raising
from tests.fakes.images import Behaviour
from tests.fakes.world import World, deploy_request, rollback_request, summary
from tests.flows.test_audit import look

WRITES = {"config.write", "stack.up", "stack.refresh", "registry.tag", "cluster.restart"}


async def released() -> World:
    world = World.seeded()
    for name in ("second", "third"):
        outcome = await deploy(world.ports(), deploy_request(world.commits[name].sha))
        assert outcome.state is State.LIVE, outcome.release.reason
        await asyncio.sleep(60)
    return world


def gone(world: World) -> None:
    for name in ("first", "second"):
        digest = world.digest_of(name)
        assert digest is not None
        world.registry.delete(world.target.service.repository, digest)


def bare(world: World) -> None:
    for name in ("first", "second"):
        digest = world.digest_of(name)
        assert digest is not None
        world.registry.lose_platform(world.target.service.repository, digest)


def revoked(world: World) -> None:
    world.registry.passwords.clear()


def arm_node(world: World) -> None:
    world.cluster.platforms = frozenset({"linux/arm64"})


def somebodys_change(world: World) -> None:
    change = PathChange("spec.replicas", "update")
    world.stack.extra.append(ResourceChange("urn:other::x", "update", "kubernetes:x", (change,)))


def broken_program(world: World) -> None:
    world.faults.always("stack.preview", PreviewFailed("error: cannot find module: mend it"))


def deleted(world: World) -> None:
    world.cluster.deployments.pop(("apps", world.deployment.name))


def kubectl(world: World) -> None:
    world.deployment.image_managers = ("kubectl-set",)


def paused(world: World) -> None:
    world.deployment.paused = True


def recorded(world: World) -> None:
    world.resources[0].recorded = "ghcr.io/acme/shop/ls-triton-adapter:main"


def shadowed(world: World) -> None:
    world.stack.shadows["oceanid-cluster:adapterImage"] = "ghcr.io/acme/shop/x:old"


def present_gone(world: World) -> None:
    digest = world.digest_of("third")
    assert digest is not None
    world.registry.delete(world.target.service.repository, digest)


def no_secret_named(world: World) -> None:
    """And no pod shows that its node pulls without one."""
    world.deployment.pull_secrets = ()
    for each in world.deployment.pods:
        each.named = Digest("sha256:" + "e" * 64)


def taken(world: World) -> None:
    world.stack_tags["slipway:ledger"] = "f" * 32


TROUBLES: dict[str, tuple[Callable[[World], None], str]] = {
    "no image": (gone, "no-candidate"),
    "secret revoked": (revoked, "pull-secret-unusable"),
    "no secret named": (no_secret_named, "pull-secret-unusable"),
    "every way back is a bare index": (bare, "no-candidate"),
    "wrong platform": (arm_node, "platform-missing"),
    "somebody else's change": (somebodys_change, "not-image-only"),
    "program broken": (broken_program, "preview-failed"),
    "Deployment deleted": (deleted, "deployment-unfit"),
    "kubectl owns the image": (kubectl, "deployment-unfit"),
    "paused": (paused, "deployment-unfit"),
    "Pulumi records another": (recorded, "deployment-unfit"),
    "key shadowed": (shadowed, "config-key-unusable"),
    "what runs is gone": (present_gone, "image-missing"),
    "another ledger's stack": (taken, "another-ledger"),
}


async def test_a_rollback_that_would_work_is_said_to_and_then_does() -> None:
    world = await released()

    found = await drill(world.ports())

    assert (found.result, found.to) == (Result.WORKS, world.commits["second"])
    outcome = await roll_back(world.ports(), rollback_request())
    assert (outcome.state, outcome.release.commit) == (State.LIVE, found.to)


@pytest.mark.parametrize("what", TROUBLES)
async def test_a_rollback_that_would_be_refused_is_said_to_and_then_is(what: str) -> None:
    spoil, code = TROUBLES[what]
    world = await released()
    spoil(world)

    found = await drill(world.ports())

    assert (found.result, found.why.partition(":")[0]) == (Result.FAILS, code)
    outcome = await roll_back(world.ports(), rollback_request())
    assert outcome.state is State.REFUSED


def nodes_own_credentials(world: World) -> None:
    """As k3s' registries.yaml gives them: no secret is named, and the API shows none."""
    world.deployment.pull_secrets = ()
    world.cluster.nodes_have_credentials = True


async def test_whether_nodes_pull_by_credentials_of_their_own_is_not_told_and_no_failure() -> None:
    world = await released()
    nodes_own_credentials(world)

    found = await drill(world.ports())

    assert (found.result, found.expected_seconds) == (Result.NOT_TOLD, None)
    assert "registries.yaml" in found.why
    state = as_prefect_state([found])
    assert (state.type.value, state.name, state.message) == (
        "COMPLETED",
        "NotTold",
        f"{world.target.name}: {found.why}",
    )
    outcome = await roll_back(world.ports(), rollback_request())
    assert outcome.state is State.LIVE


async def test_what_else_would_refuse_the_rollback_is_told_before_what_is_not_told() -> None:
    world = await released()
    nodes_own_credentials(world)
    somebodys_change(world)

    assert (await drill(world.ports())).result is Result.FAILS


async def test_a_full_drill_tells_what_is_not_told_without_it() -> None:
    world = allowing(await released())
    nodes_own_credentials(world)

    drilled = await drill_fully(world.ports())

    assert drilled.result is Result.WORKS, drilled.why
    assert drilled.measured is not None


@pytest.mark.parametrize(
    ("results", "name"),
    [
        ((Result.WORKS, Result.WORKS), "WouldWork"),
        ((Result.WORKS, Result.NOT_TOLD), "NotTold"),
        ((Result.NOT_TOLD, Result.NOT_TRIED), "NotTried"),
        ((Result.WORKS, Result.NOTHING_YET), "NothingYet"),
        ((Result.NOTHING_YET, Result.NOT_TOLD), "NotTold"),
        ((Result.FAILS, Result.NOT_TRIED, Result.NOT_TOLD), "WouldNotWork"),
    ],
)
def test_a_run_is_named_by_the_result_that_most_needs_a_person(
    results: tuple[Result, ...], name: str
) -> None:
    state = as_prefect_state([Drill("adapter-prod", each, "why") for each in results])

    assert state.name == name
    assert (state.type.value == "FAILED") is (Result.FAILS in results)


async def test_a_target_that_has_nothing_to_go_back_to_yet_fails_no_drill() -> None:
    """Where the audit finds no IMG012 either: there is nothing to lose."""
    world = World.seeded()
    await adopt_what_runs(world.ports())

    found = await drill(world.ports())

    assert (found.result, found.expected_seconds) == (Result.NOTHING_YET, None)
    assert as_prefect_state([found]).name == "NothingYet"
    assert "IMG012" not in {each.rule for each in (await look(world)).findings}
    assert summary(await roll_back(world.ports(), rollback_request())) == "refused: no-candidate"


async def test_so_it_is_before_any_release_and_after_a_rollback_to_the_oldest() -> None:
    fresh, rolled_back = World.seeded(), await released()
    await roll_back(rolled_back.ports(), rollback_request(rolled_back.commits["first"].sha))

    for world in (fresh, rolled_back):
        assert (await drill(world.ports())).result is Result.NOTHING_YET


async def test_a_target_whose_ways_back_are_all_vetoed_fails_its_drill() -> None:
    world = await released()
    for name in ("first", "second"):
        await world.ledger.place_veto(world.target.name, NewVeto(world.commits[name], "x", "ada"))

    found = await drill(world.ports())

    assert (found.result, found.why.partition(":")[0]) == (Result.FAILS, "no-candidate")


async def test_a_drill_changes_nothing() -> None:
    world = await released()
    world.faults.effects.clear()

    await drill(world.ports())

    assert "stack.preview" in world.faults.effects
    assert not WRITES & set(world.faults.effects)


async def test_the_time_a_rollback_would_take_is_told_from_what_was_measured() -> None:
    world = await released()

    before = await drill(world.ports())
    outcome = await roll_back(world.ports(), rollback_request())

    assert outcome.release.ended is not None
    really = (outcome.release.ended - outcome.release.started).total_seconds()
    assert before.expected_seconds == pytest.approx(really, rel=0.5)
    assert [name for name, _ in before.took][-1] == "preview"


@pytest.mark.parametrize("effect", ["registry.find", "cluster.observe", "stack.preview"])
async def test_what_can_not_be_reached_proves_nothing(effect: str) -> None:
    world = await released()
    world.faults.always(effect, Unreachable("no route to host: try again"))

    found = await drill(world.ports())

    assert (found.result, found.expected_seconds) == (Result.NOT_TRIED, None)
    assert "no route to host" in found.why


async def test_while_a_release_is_at_work_nothing_is_tried() -> None:
    world = await released()
    await world.ledger.acquire(str(world.target.stack), "somebody", 600)

    found = await drill(world.ports())

    assert (found.result, found.why.split()[0]) == (Result.NOT_TRIED, "somebody")


async def test_while_somebody_updates_the_stack_nothing_is_tried() -> None:
    world = await released()
    world.stack.held_by.append("somebody")

    found = await drill(world.ports())

    assert found.result is Result.NOT_TRIED
    assert "has an update under way" in found.why


async def test_a_release_that_begins_meanwhile_is_not_blamed_on_the_rollback() -> None:
    world = await released()

    async def begin() -> None:
        await world.ledger.acquire(str(world.target.stack), "somebody", 600)
        revoked(world)

    world.faults.before("cluster.observe", begin)

    found: Drill = await drill(world.ports())

    assert found.result is Result.NOT_TRIED


async def test_a_place_that_blinks_is_asked_again() -> None:
    world = await released()
    world.faults.before("stack.preview", raising(Unreachable("a blink: try again")))

    assert (await drill(world.ports())).result is Result.WORKS


def allowing(world: World) -> World:
    """Nobody depends on the target."""
    world.change_target(full_drill=True)
    return world


async def test_a_full_drill_really_rolls_back_and_leaves_everything_as_it_was() -> None:
    world = allowing(await released())
    ports, before = world.ports(), world.deployment.image

    drilled = await drill_fully(ports)

    assert drilled.result is Result.WORKS, drilled.why
    assert drilled.measured == drilled.expected_seconds
    assert world.deployment.image == before
    newest, back, *_ = await ports.ledger.history(world.target.name)
    assert (newest.kind, newest.commit) == (Kind.DEPLOY, world.commits["third"])
    assert (back.kind, back.commit) == (Kind.ROLLBACK, world.commits["second"])
    assert await ports.ledger.holds(world.target.name) == []


async def test_a_full_drill_goes_the_same_way_every_time() -> None:
    world = allowing(await released())

    drills = [await drill_fully(world.ports()) for _ in range(3)]

    assert [each.to for each in drills] == [world.commits["second"]] * 3


async def test_a_target_that_does_not_allow_it_is_never_really_rolled_back() -> None:
    world = await released()
    world.faults.effects.clear()

    with pytest.raises(InvalidInput, match="full_drill"):
        await drill_fully(world.ports())

    assert not WRITES & set(world.faults.effects)


async def test_where_one_target_does_not_allow_it_no_other_is_really_rolled_back_either() -> None:
    world = allowing(await released())
    world.faults.effects.clear()

    with pytest.raises(InvalidInput, match="annotations-sink-prod does not allow it"):
        await drill_all([world.ports(), world.ports("annotations-sink-prod")], full=True)

    assert not WRITES & set(world.faults.effects)


async def test_nothing_is_rolled_back_where_it_would_not_work() -> None:
    world = allowing(await released())
    revoked(world)
    world.faults.effects.clear()

    drilled = await drill_fully(world.ports())

    assert drilled.result is Result.FAILS
    assert not WRITES & set(world.faults.effects)


async def test_a_full_drill_finds_what_no_other_does() -> None:
    world = allowing(await released())
    digest = world.digest_of("second")
    assert digest is not None
    key = (world.target.service.repository, digest)
    crashing = replace(world.registry.images[key], behaviour=Behaviour.CRASHES)
    world.registry.images[key] = crashing  # what it depends on has gone since

    before = await drill(world.ports())
    drilled = await drill_fully(world.ports())

    assert before.result is Result.WORKS
    assert drilled.result is Result.FAILS
    assert drilled.why.startswith("the rollback: ")


async def test_a_push_that_the_drills_own_hold_has_kept_away_is_deployed_after_it() -> None:
    world = allowing(await released())
    fourth = world.git.commit("fourth", {"adapter/app.py": "good 4"})
    drilling = asyncio.create_task(drill_fully(world.ports()))
    while not await world.ledger.holds(world.target.name):  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(0.1)

    push = replace(deploy_request(fourth.sha), automatic=True, why="")
    pushed = await deploy(world.ports(), push)
    drilled = await drilling

    assert summary(pushed) == "refused: held"
    assert drilled.result is Result.WORKS, drilled.why
    assert f"{fourth.short}, which was held meanwhile" in drilled.why
    [newest, *_] = await world.ledger.history(world.target.name)
    assert (newest.commit, newest.state) == (fourth, State.LIVE)
    assert newest.request.automatic
    assert await world.ledger.holds(world.target.name) == []


async def test_a_full_drill_ends_nobodys_hold() -> None:
    world = allowing(await released())
    await world.ledger.place_hold(world.target.name, NewHold("freeze over the weekend", "bob"))
    world.faults.effects.clear()

    drilled = await drill_fully(world.ports())

    assert drilled.result is Result.NOT_TRIED
    assert "freeze over the weekend" in drilled.why
    assert [each.by for each in await world.ledger.holds(world.target.name)] == ["bob"]
    assert not WRITES & set(world.faults.effects)

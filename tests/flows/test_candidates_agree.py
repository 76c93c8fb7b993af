"""What the list of candidates says, and what the rollback flow does in the very same world."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.deploy import release as deploy
from flows.rollback import release as roll_back
from slipway.domain.candidate import CHANGES_MORE, Candidate
from slipway.domain.change import PathChange, ResourceChange
from slipway.domain.config import KeyForm
from slipway.domain.hold import NewHold, NewVeto
from slipway.domain.release import PREVIOUS, Outcome, Phase, State
from slipway.domain.target import Allowance
from slipway.errors import AccessDenied, PreviewFailed, StackUnusable, Unreachable
from slipway.tasks.candidates import Candidates, list_candidates
from tests.fakes.images import make_image
from tests.fakes.virtual_time import run
from tests.fakes.world import World, deploy_request, rollback_request

KEY = "oceanid-cluster:adapterImage"
SERVICE = "urn:pulumi:prod::oceanid-cluster::kubernetes:core/v1:Service::web"
COMMITS = ("first", "second", "third", "crashing", "sick")
WRITES = {"config.write", "stack.up", "stack.refresh", "stack.claim", "registry.tag"}
Spoil = Callable[[World], object]


async def told() -> World:
    """A world with a history: adopted, live, live, restored; and an image nobody released."""
    world = World.seeded()
    for name in ("second", "third", "crashing"):
        await deploy(world.ports(), deploy_request(world.commits[name].sha))
        await asyncio.sleep(60)
    world.publish("sick")
    return world


def delete(name: str) -> Spoil:
    def spoil(world: World) -> None:
        digest, repository = world.digest_of(name), world.target.service.repository
        if digest is not None and (repository, digest) in world.registry.images:
            world.registry.delete(repository, digest)

    return spoil


def lose_platform(name: str) -> Spoil:
    """What cleaners of untagged manifests do."""

    def spoil(world: World) -> None:
        digest = world.digest_of(name)
        assert digest is not None
        world.registry.lose_platform(world.target.service.repository, digest)

    return spoil


def overwrite(name: str) -> Spoil:
    def spoil(world: World) -> None:
        tag = world.commits[name].sha
        world.registry.put(world.target.service.repository, tag, make_image("mallory's", {}))

    return spoil


def veto(name: str) -> Spoil:
    def spoil(world: World) -> None:
        world.ledger.restrict(world.target.name, NewVeto(world.commits[name], "bad", "ada"))

    return spoil


def hold(world: World) -> None:
    world.ledger.restrict(world.target.name, NewHold("watch it", "ada"))


def platforms(*names: str) -> Spoil:
    def spoil(world: World) -> None:
        world.cluster.platforms = frozenset(names)

    return spoil


def key_is(value: str | KeyForm | None) -> Spoil:
    return lambda world: world.config.edit("bob", adapterImage=value)


def sink_changes(world: World) -> None:
    """Somebody else's change in ESC that nothing has applied: it would ship with any update."""
    world.config.edit("bob", sinkImage="ghcr.io/acme/shop/annotations-sink:main")


def service_changes(world: World) -> None:
    """Somebody's change of the program."""
    path = PathChange("spec.port", "update", "80 becomes 81")
    world.stack.extra.append(
        ResourceChange(SERVICE, "update", "kubernetes:core/v1:Service", (path,))
    )


def service_changes_and_may(world: World) -> None:
    service_changes(world)
    world.change_target(allow_changes=(Allowance(SERVICE, "spec.port"),))


def update_that_ends(world: World) -> None:
    world.stack.held_by.append("somebody")
    asyncio.get_running_loop().call_later(100, world.stack.held_by.clear)


def other_managers(world: World) -> None:
    world.deployment.image_managers = ("kubectl-set",)


def paused(world: World) -> None:
    world.deployment.paused = True


def scaled_to_zero(world: World) -> None:
    world.deployment.replicas = 0


def recorded_differs(world: World) -> None:
    world.resources[0].recorded = "ghcr.io/acme/shop/ls-triton-adapter:main"


def stack_knows_it_not(world: World) -> None:
    world.resources[0].exists = False


def deployment_gone(world: World) -> None:
    world.cluster.deployments.pop(("apps", world.deployment.name), None)


def preview_cut(world: World) -> None:
    world.stack.complete = False


def no_secret_named(world: World) -> None:
    world.deployment.pull_secrets = ()


def nodes_own_credentials(world: World) -> None:
    no_secret_named(world)
    world.cluster.nodes_have_credentials = True


def fails(effect: str, error: Exception) -> Spoil:
    return lambda world: world.faults.always(effect, error)


OF_IMAGES: dict[str, Spoil] = {
    "as they were": lambda _: None,
    "second gone": delete("second"),
    "third gone, which runs": delete("third"),
    "sick gone": delete("sick"),
    "second without its platform": lose_platform("second"),
    "sick without its platform": lose_platform("sick"),
    "first overwritten": overwrite("first"),
    "sick overwritten": overwrite("sick"),
    "second vetoed": veto("second"),
    "for other nodes": platforms("linux/arm64"),
    "for more nodes": platforms("linux/amd64", "linux/arm64"),
}
OF_ALL: dict[str, Spoil] = {
    "held": hold,
    "key secret": key_is(KeyForm.SECRET),
    "key empty": key_is(""),
    "key absent": key_is(None),
    "key third value": key_is("ghcr.io/acme/shop/ls-triton-adapter:main"),
    "sink changes": sink_changes,
    "service changes": service_changes,
    "service may change": service_changes_and_may,
    "shadowed": lambda world: world.stack.shadows.update({KEY: "x"}),
    "another ledger's": lambda world: world.stack_tags.update({"slipway:ledger": "f" * 32}),
    "update that ends": update_that_ends,
    "kubectl": other_managers,
    "paused": paused,
    "zero": scaled_to_zero,
    "recorded differs": recorded_differs,
    "not of this stack": stack_knows_it_not,
    "no Deployment": deployment_gone,
    "preview cut": preview_cut,
    "no secret named": no_secret_named,
    "nodes' own credentials": nodes_own_credentials,
    "secret gone": lambda world: world.cluster.secrets.clear(),
    "secret revoked": lambda world: world.registry.passwords.clear(),
    "program broken": fails("stack.preview", PreviewFailed("no such property: mend it")),
    "not installed": fails("stack.prepare", StackUnusable("no pnpm: install it")),
    "no CLI": fails("stack.check", StackUnusable("no pulumi: install it")),
    "stack forbidden": fails("stack.state", AccessDenied("no: renew the token")),
    "Pulumi down": fails("stack.state", Unreachable("no route to host: try again")),
    "cluster closed": fails("cluster.check", AccessDenied("no: renew the kubeconfig")),
}


async def _compared(image: str, spoils: set[str], wanted: str) -> tuple[Candidates, Outcome]:
    world = await told()
    OF_IMAGES[image](world)
    for each in sorted(spoils):
        OF_ALL[each](world)
    world.faults.effects.clear()
    found = await list_candidates(world.ports())
    assert not WRITES & set(world.faults.effects)
    to = world.commits[wanted].sha if wanted in world.commits else wanted
    return found, await roll_back(world.ports(), rollback_request(to))


def _of(found: Candidates, outcome: Outcome) -> Candidate | None:
    wanted = outcome.release.request.wanted
    mine = [
        each
        for each in found.listed
        if (each.is_default if wanted == PREVIOUS else each.commit.sha == wanted)
    ]
    return mine[0] if mine else None


def require_agreement(found: Candidates, outcome: Outcome) -> None:
    """Behind somebody who is at work nobody knows what a preview will show: the list says so."""
    candidate, refused = _of(found, outcome), outcome.state is State.REFUSED
    allowed = candidate is not None and candidate.allowed
    if allowed and found.outlook.waits_for and found.outlook.previewed is None:
        return
    assert allowed is not refused, (candidate, found.outlook, outcome.release.reason)
    if candidate is not None and refused and not candidate.refusal:
        assert candidate.not_now.partition(":")[0] == outcome.code


@pytest.mark.parametrize("spoil", OF_ALL)
async def test_where_any_rollback_is_refused_the_list_allows_none_and_says_why(spoil: str) -> None:
    for wanted in ("second", "sick"):
        require_agreement(*await _compared("as they were", {spoil}, wanted))


@settings(max_examples=80)
@given(
    st.sampled_from(sorted(OF_IMAGES)),
    st.sets(st.sampled_from(sorted(OF_ALL)), max_size=2),
    st.sampled_from([*COMMITS, PREVIOUS]),
)
def test_whatever_has_happened_the_list_allows_exactly_what_the_rollback_does_not_refuse(
    image: str, spoils: set[str], wanted: str
) -> None:
    require_agreement(*run(_compared(image, spoils, wanted)))


async def test_a_way_back_without_its_only_platform_is_passed_over_by_list_and_rollback() -> None:
    world = await told()
    lose_platform("second")(world)

    found = await list_candidates(world.ports())
    named = await roll_back(world.ports(), rollback_request(world.commits["second"].sha))
    outcome = await roll_back(world.ports(), rollback_request())

    by_commit = {each.commit: each for each in found.listed}
    lame, default = by_commit[world.commits["second"]], by_commit[world.commits["first"]]
    assert (lame.allowed, lame.is_default, lame.states[0]) == (False, False, "image not whole")
    assert (default.allowed, default.is_default) == (True, True)
    assert (named.state, named.code) == (State.REFUSED, "image-missing")
    assert (outcome.state, outcome.release.commit) == (State.LIVE, world.commits["first"])


@pytest.mark.parametrize("spoil", [sink_changes, service_changes])
async def test_what_a_preview_would_change_beside_the_image_is_the_first_thing_told(
    spoil: Spoil,
) -> None:
    world = await told()
    spoil(world)

    found = await list_candidates(world.ports())

    allowed = [each for each in found.listed if not each.refusal]
    assert allowed
    assert {each.states[0] for each in allowed} == {CHANGES_MORE}
    assert all("not-image-only" in each.not_now for each in allowed)
    assert found.outlook.previewed == world.commits["second"]


async def test_a_rollback_waits_for_an_update_that_ends_and_goes_live_as_the_list_allows() -> None:
    found, outcome = await _compared("as they were", {"update that ends"}, "second")

    assert found.outlook.waits_for.endswith("has an update under way")
    candidate = _of(found, outcome)
    assert candidate is not None
    assert candidate.allowed
    assert (outcome.state, outcome.release.commit) == (State.LIVE, candidate.commit)


async def test_one_preview_tells_it_of_all() -> None:
    world = await told()
    world.faults.effects.clear()

    await list_candidates(world.ports())

    assert world.faults.effects.count("stack.preview") == 1


async def test_without_a_preview_nothing_is_said_of_it_and_the_rest_still_is() -> None:
    world = await told()
    service_changes(world)
    paused(world)
    world.faults.effects.clear()

    found = await list_candidates(world.ports(), preview=False)

    assert "stack.preview" not in world.faults.effects
    assert "is paused" in found.outlook.refusal
    assert found.outlook.previewed is None
    assert not any(CHANGES_MORE in each.states for each in found.listed)


async def test_without_a_preview_a_rollback_that_could_not_be_undone_is_still_told() -> None:
    world = await told()
    delete("third")(world)

    found = await list_candidates(world.ports(), preview=False)

    assert found.outlook.refusal.startswith("image-missing: ")


async def test_while_somebody_is_at_work_the_list_says_for_whom_a_rollback_would_wait() -> None:
    world = await told()
    await world.ledger.acquire(str(world.target.stack), "somebody", 600)
    world.faults.effects.clear()

    found = await list_candidates(world.ports())

    assert found.outlook.waits_for.startswith("somebody is at work")
    assert "stack.preview" not in world.faults.effects
    assert found.outlook.previewed is None


async def test_a_release_that_died_is_what_a_rollback_would_finish_first() -> None:
    world = await told()
    opened = await world.ledger.open(world.target, deploy_request(world.commits["sick"].sha))
    dead = await world.ledger.save(opened.at(Phase.DECIDED))

    found = await list_candidates(world.ports())

    assert found.outlook.waits_for.startswith(f"release {dead.id} stands open")
    assert found.outlook.previewed is None


async def test_a_release_that_begins_meanwhile_is_not_taken_for_a_refusal() -> None:
    world = await told()

    async def begin() -> None:
        await world.ledger.acquire(str(world.target.stack), "somebody", 600)
        world.faults.always("stack.preview", PreviewFailed("an update is under way: wait"))

    world.faults.before("stack.prepare", begin)

    found = await list_candidates(world.ports())

    assert found.outlook.refusal == ""
    assert found.outlook.waits_for.startswith("somebody is at work")


async def test_a_live_release_counts_however_many_have_ended_since() -> None:
    """A list of the newest hundred would not have it any more."""
    world = await told()
    template = (await world.ledger.history(world.target.name))[0]
    for number in range(150):
        each = replace(template, id=f"refused-{number}", state=State.REFUSED, reason="held: x")
        world.ledger.releases[each.id] = each

    found = await list_candidates(world.ports())
    outcome = await roll_back(world.ports(), rollback_request())

    [default] = [each for each in found.listed if each.is_default]
    assert default.commit == world.commits["second"]
    assert (outcome.state, outcome.release.commit) == (State.LIVE, default.commit)
    assert {each.commit: each.states for each in found.listed}[world.commits["third"]] == ("live",)

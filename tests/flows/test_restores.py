"""Restores: after the pin, whatever fails ends with the old image proven running again."""

import asyncio
import os
import signal

import pytest

from flows import deploy
from slipway.domain.change import PathChange, ResourceChange
from slipway.domain.image import Digest
from slipway.domain.release import Options, Outcome, State
from slipway.errors import (
    AccessDenied,
    ConfigMismatch,
    DeploymentUnfit,
    SlipwayError,
    StackBusy,
    Unreachable,
)
from slipway.ports import StackUpdate
from slipway.tasks.applying import IDLE_WITHIN
from tests.fakes.faults import raising
from tests.fakes.images import FakeImage
from tests.fakes.pods import FakePod
from tests.fakes.pulumi import AWAIT
from tests.fakes.world import World, deploy_request, reference_of, summary

SINK_ALONE = "ghcr.io/acme/shop/annotations-sink:main"


async def restored(world: World, name: str) -> Outcome:
    """Deploy something that must end with the world as it was."""
    value, running = world.value, world.runs()
    outcome = await deploy.release(world.ports(), deploy_request(world.commits[name].sha))
    assert outcome.state is State.RESTORED, outcome.release.reason
    assert world.value == value
    assert world.runs() == running
    assert world.resources[0].recorded == world.deployment.image
    assert not world.busy
    return outcome


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("crashing", "has ended 2 times: Error, exit code 1"),
        ("hungry", "OOMKilled"),
        ("stuck", "0 of 1 pods ready"),
        ("sick", "answered 503: not today"),
        ("dying", "restarted 1 times within the soak"),
    ],
)
async def test_an_image_that_does_not_run_is_restored_and_the_cause_is_named(
    name: str, says: str
) -> None:
    world = World.seeded()

    outcome = await restored(world, name)

    assert says in outcome.release.reason
    assert outcome.code == "disproven"


async def test_a_second_release_is_restored_to_exactly_what_stood_there_before() -> None:
    world = World.seeded()
    await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    await restored(world, "crashing")

    assert world.value == reference_of(world, "second")


async def test_a_bad_image_costs_seconds_not_pulumis_ten_minutes() -> None:
    world = World.seeded()
    began = asyncio.get_running_loop().time()

    await restored(world, "crashing")

    assert asyncio.get_running_loop().time() - began < AWAIT / 10


async def test_a_restore_does_not_blame_what_ran_before_for_restarts_of_long_ago() -> None:
    """It is the way back that is proven here: once condemned, nothing would be left to try."""
    world = World.seeded()
    [before] = world.deployment.pods
    before.restarts = 5

    def be_busy() -> None:
        before.unready_until = asyncio.get_running_loop().time() + 10

    world.faults.before("stack.read-back", be_busy)
    await restored(world, "crashing")

    assert before in world.deployment.pods


async def test_a_restore_that_could_not_be_proven_is_not_called_restored() -> None:
    world = World.seeded()
    faults, gone = world.faults, Unreachable("no route to the cluster")

    def then_be_gone() -> None:
        faults.after("stack.up", lambda: faults.always("cluster.observe", gone))

    faults.before("stack.read-back", then_be_gone)
    outcome = await deploy.release(world.ports(), deploy_request(world.commits["crashing"].sha))

    assert outcome.state is State.NEEDS_ATTENTION, outcome.release.reason
    assert outcome.release.unproven


async def test_a_signal_does_not_end_a_restore() -> None:
    """A worker that is stopped twice: whoever asked once has been heard already."""
    world = World.seeded()
    heard: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {each: signal.signal(each, lambda number, _: heard.append(number)) for each in numbers}

    def stop_us() -> None:
        for each in numbers:
            os.kill(os.getpid(), each)

    world.faults.before("stack.read-back", stop_us)
    try:
        await restored(world, "crashing")
        after = [signal.getsignal(each) for each in numbers]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

    assert heard == []
    assert signal.SIG_IGN not in after


async def test_an_update_past_the_targets_patience_is_ended_and_restored() -> None:
    world = World.seeded()
    world.stack.apply_within = 5.0
    began = asyncio.get_running_loop().time()

    outcome = await restored(world, "stuck")

    assert outcome.code == "apply-failed"
    assert "update cancelled" in outcome.release.reason
    assert asyncio.get_running_loop().time() - began < world.target.ready_within


async def test_a_failure_without_a_way_back_puts_the_value_back_and_leaves_what_runs() -> None:
    """A person said --no-way-back: the image that ran is gone from the registry."""
    world = World.seeded()
    value, running, first = world.value, world.runs(), world.digest_of("first")
    assert isinstance(first, Digest)
    world.registry.delete(world.target.service.repository, first)
    request = deploy_request(world.commits["crashing"].sha, Options(no_way_back=True))

    outcome = await deploy.release(world.ports(), request)

    assert summary(outcome) == "needs attention: disproven"
    assert "nothing healthy to go back to" in outcome.release.reason
    assert f"slipway status {world.target.name}" in outcome.release.reason
    assert not outcome.release.is_open, "recovery could do no more"
    assert (world.value, world.runs()) == (value, running)
    assert len(world.updates) == 2, "nothing was applied that nobody could pull"


async def test_an_image_deleted_before_the_pull_is_restored() -> None:
    world = World.seeded()
    repository = world.target.service.repository

    def delete() -> None:
        digest = world.digest_of("second")
        assert isinstance(digest, Digest)
        world.registry.delete(repository, digest)

    world.faults.before("stack.server-side-apply", delete)

    outcome = await restored(world, "second")

    assert "ErrImagePull" in outcome.release.reason
    assert "not found" in outcome.release.reason


async def test_a_pull_secret_revoked_after_preflight_is_restored() -> None:
    world = World.seeded()
    running = world.deployment.pods[0]
    world.faults.before("stack.server-side-apply", world.registry.passwords.clear)

    outcome = await restored(world, "second")

    assert "401 Unauthorized" in outcome.release.reason
    assert world.deployment.pods[0] is running


async def test_a_program_that_nobody_has_pushed_does_not_hinder_a_restore() -> None:
    world = World.seeded()
    by_hand = StackUpdate(2, "update", "succeeded", "by hand", "5" * 40)
    world.updates.append(by_hand)

    outcome = await restored(world, "crashing")

    assert outcome.code == "disproven"
    assert outcome.release.baseline is not None
    assert outcome.release.baseline.program == world.commits["crashing"]


async def test_a_provider_that_fails_after_the_pin_is_restored() -> None:
    world = World.seeded()

    async def fail(*_: object) -> str:
        return "the provider crashed"

    original, world.stack._apply = world.stack._apply, fail  # type: ignore[method-assign, assignment] # planted

    def heal() -> None:
        world.stack._apply = original  # type: ignore[method-assign] # as it was

    world.faults.before("stack.refresh", heal)

    outcome = await restored(world, "second")

    assert outcome.code == "apply-failed"
    assert "the provider crashed" in outcome.release.reason


async def test_a_busy_stack_is_waited_for() -> None:
    world = World.seeded()
    world.held_by.append("bob")

    async def later() -> None:
        await asyncio.sleep(60)
        world.held_by.remove("bob")
        world.stack.somebody_updates()

    waiting = asyncio.create_task(later())
    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))
    await waiting

    assert outcome.state is State.LIVE


async def test_a_stack_that_somebody_takes_between_decision_and_apply_is_waited_for() -> None:
    world = World.seeded()

    async def later() -> None:
        await asyncio.sleep(30)
        world.held_by.remove("bob")
        world.stack.somebody_updates()

    waiting: list[asyncio.Task[None]] = []

    def take() -> None:
        world.held_by.append("bob")
        waiting.append(asyncio.create_task(later()))

    world.faults.before("stack.up", take)
    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))
    await asyncio.gather(*waiting)

    assert outcome.state is State.LIVE
    assert world.faults.effects.count("stack.preview") == 2


async def test_an_update_between_preview_and_apply_is_guarded_again_and_restored_if_unfit() -> None:
    world = World.seeded()
    service = "urn:pulumi:prod::oceanid-cluster::kubernetes:core/v1:Service::web"

    def meanwhile() -> None:
        world.stack.somebody_updates()
        path = PathChange("spec.ports", "update")
        world.stack.extra.append(ResourceChange(service, "update", "Service", (path,)))

    world.faults.after("config.write", meanwhile)
    value = world.value

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert summary(outcome) == "restored: not-image-only"
    assert world.value == value
    assert "stack.up" not in world.faults.effects


def _take_along(world: World, theirs: ResourceChange) -> None:
    """Somebody's update between our pin and our apply: it applies our pin, and changes more."""

    def meanwhile() -> None:
        assert world.value is not None
        world.resources[0].recorded = world.value
        world.cluster.set_image(world.deployment, world.value)
        world.stack.somebody_updates()
        world.stack.extra.append(theirs)

    world.faults.after("config.write", meanwhile)


async def test_a_pin_that_somebodys_update_has_applied_is_undone_and_theirs_is_kept() -> None:
    world = World.seeded()
    theirs = ResourceChange("urn:other", "update", "Service", (PathChange("spec", "update"),))
    _take_along(world, theirs)

    outcome = await restored(world, "second")

    assert outcome.code == "not-image-only"
    assert "urn:other" in outcome.release.notes[-1]


async def test_a_pin_is_not_undone_where_that_undoes_somebodys_change_of_the_deployment() -> None:
    world = World.seeded()
    value = world.value
    path = PathChange("spec.replicas", "update")
    theirs = ResourceChange(world.resources[0].urn, "update", "Deployment", (path,))
    _take_along(world, theirs)

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert summary(outcome) == "needs attention: not-image-only", outcome.release.reason
    assert world.value == value
    assert "going back would undo it too" in outcome.release.reason
    assert not outcome.release.unproven


async def test_a_restore_does_not_ship_what_somebody_else_has_pinned_and_not_applied() -> None:
    """The way back is a value that stood in no revision, so only the newest revision holds it."""
    world = World.seeded()
    first, pods = world.digest_of("first"), list(world.neighbour.pods)
    world.config.edit("bob", adapterImage="ghcr.io/acme/shop/ls-triton-adapter:main")
    world.faults.after(
        "stack.server-side-apply", lambda: world.config.edit("carol", sinkImage=SINK_ALONE)
    )

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["crashing"].sha))

    assert outcome.state is State.RESTORED, outcome.release.reason
    assert world.runs() == {first}
    assert world.neighbour.pods == pods
    assert world.config.latest.values["sinkImage"] == SINK_ALONE
    assert "revision 5 by carol" in outcome.release.notes[-1]


async def test_a_value_that_nothing_had_applied_is_not_restored_what_ran_is() -> None:
    world = World.seeded()
    first = world.digest_of("first")
    world.config.edit("bob", adapterImage="ghcr.io/acme/shop/ls-triton-adapter:main")

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["crashing"].sha))

    assert outcome.state is State.RESTORED, outcome.release.reason
    assert world.value == f"{world.target.service.repository}:{world.commits['first']}@{first}"
    assert world.runs() == {first}


async def test_a_pin_that_nothing_had_applied_and_that_fails_restores_what_ran() -> None:
    world = World.seeded()
    first = world.digest_of("first")
    world.publish("crashing")
    world.config.edit("bob", adapterImage=reference_of(world, "crashing"))

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["crashing"].sha))

    assert outcome.state is State.RESTORED, outcome.release.reason
    assert world.runs() == {first}
    assert str(first) in (world.value or "")


async def test_a_tag_that_moved_since_is_restored_by_digest() -> None:
    world = World.seeded()
    first = world.digest_of("first")
    repository, tag = world.target.service.repository, world.commits["first"].sha
    world.registry.tagged[repository, tag] = world.publish("third").digest

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["crashing"].sha))

    assert outcome.state is State.RESTORED, outcome.release.reason
    assert world.value == f"{repository}:{tag}@{first}"
    assert world.runs() == {first}


async def test_a_restore_stops_where_somebody_else_has_changed_the_value() -> None:
    world = World.seeded()
    theirs = "ghcr.io/acme/shop/ls-triton-adapter:main"
    world.faults.after(
        "stack.server-side-apply", lambda: world.config.edit("bob", adapterImage=theirs)
    )

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["crashing"].sha))

    assert outcome.state is State.NEEDS_ATTENTION
    assert world.value == theirs
    assert "by bob" in outcome.release.reason
    assert "has ended 2 times" in outcome.release.reason
    assert not outcome.release.unproven


async def test_an_edit_of_another_key_in_the_middle_of_a_restore_is_kept_and_does_no_harm() -> None:
    world = World.seeded()
    again = [lambda: world.config.edit("bob", otherKey="theirs")]

    def edit_once_more() -> None:
        world.faults.before("config.write", again.pop())

    world.faults.after("config.write", edit_once_more)

    await restored(world, "crashing")

    assert not again
    assert world.config.latest.values["otherKey"] == "theirs"


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("no route"),
        AccessDenied("401: the token has expired"),
        DeploymentUnfit("the labels fit 2 Deployments"),
    ],
)
@pytest.mark.parametrize("asked", ["cluster.observe", "cluster.health"])
async def test_what_can_not_be_measured_after_the_update_needs_attention_with_esc_untouched(
    error: SlipwayError, asked: str
) -> None:
    world = World.seeded()
    world.faults.after("stack.up", lambda: world.faults.always(asked, error))

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert summary(outcome) == "needs attention: unproven"
    assert world.value == reference_of(world, "second")
    assert outcome.release.unproven
    assert "slipway recover" in outcome.release.reason


async def test_an_api_server_that_is_gone_during_apply_puts_esc_back_at_once() -> None:
    world = World.seeded()
    value = world.value

    async def fail(*_: object) -> str:
        world.faults.always("cluster.observe", Unreachable("no route"))
        world.faults.always("stack.refresh", Unreachable("no route"))
        return "no route to the API server"

    world.stack._apply = fail  # type: ignore[method-assign, assignment] # planted

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert summary(outcome) == "needs attention: apply-failed"
    assert world.value == value
    assert outcome.release.unproven


@pytest.mark.parametrize("error", [Unreachable("blink"), AccessDenied("401: not yet renewed")])
@pytest.mark.parametrize(("name", "end"), [("second", State.LIVE), ("crashing", State.RESTORED)])
async def test_a_gap_in_what_can_be_observed_during_the_update_blinds_nobody(
    error: SlipwayError, name: str, end: State
) -> None:
    world = World.seeded()
    began = asyncio.get_running_loop().time()
    world.faults.after(
        "stack.server-side-apply", lambda: world.faults.before("cluster.observe", raising(error))
    )

    outcome = await deploy.release(world.ports(), deploy_request(world.commits[name].sha))

    assert outcome.state is end, outcome.release.reason
    assert asyncio.get_running_loop().time() - began < AWAIT / 10


async def test_a_short_gap_of_the_api_server_during_verify_does_no_harm() -> None:
    world = World.seeded()
    world.faults.after(
        "stack.up",
        lambda: world.faults.before("cluster.observe", raising(Unreachable("blink"))),
    )

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.LIVE


@pytest.mark.parametrize(
    "error", [Unreachable("answer lost"), ConfigMismatch("written, but 403 when read back")]
)
async def test_a_pin_whose_effect_is_not_known_is_taken_back(error: SlipwayError) -> None:
    world = World.seeded()
    value = world.value
    world.faults.after("config.write", raising(error))

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.RESTORED, outcome.release.reason
    assert world.value == value
    assert "stack.up" not in world.faults.effects


async def test_a_value_that_nothing_had_applied_stays_where_the_pin_never_arrived() -> None:
    """It is not what ran, and not ours either: a cancel or an error came before the write."""
    world = World.seeded()
    theirs, first = "ghcr.io/acme/shop/ls-triton-adapter:main", world.digest_of("first")
    world.config.edit("bob", adapterImage=theirs)
    world.faults.before("config.write", raising(Unreachable("connection refused")))

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.RESTORED, outcome.release.reason
    assert world.value == theirs
    assert world.runs() == {first}
    assert "stack.up" not in world.faults.effects


async def test_a_broken_deployment_goes_back_to_the_last_proven_release() -> None:
    world = World.seeded()
    await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))
    second = world.digest_of("second")
    by_hand = world.publish("crashing")
    _break(world, by_hand)

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["hungry"].sha))

    assert outcome.state is State.RESTORED, outcome.release.reason
    assert world.runs() == {second}


async def test_a_broken_deployment_goes_back_past_a_release_that_no_node_could_pull() -> None:
    """Cleaners of untagged manifests have left the bare index of the newest."""
    world = World.seeded()
    for name in ("second", "third"):
        await deploy.release(world.ports(), deploy_request(world.commits[name].sha))
        await asyncio.sleep(60)
    third = world.digest_of("third")
    assert isinstance(third, Digest)
    world.registry.lose_platform(world.target.service.repository, third)
    _break(world, world.publish("crashing"))

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["hungry"].sha))

    assert outcome.state is State.RESTORED, outcome.release.reason
    assert world.runs() == {world.digest_of("second")}


async def test_a_broken_deployment_without_any_proven_release_needs_attention() -> None:
    world = World.seeded()
    value = world.value
    _break(world, world.publish("crashing"))
    broken = world.value

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["hungry"].sha))

    assert outcome.state is State.NEEDS_ATTENTION
    assert world.value == broken != value
    assert "nothing healthy to go back to" in outcome.release.reason


async def test_a_fix_for_a_broken_deployment_goes_live() -> None:
    world = World.seeded()
    _break(world, world.publish("crashing"))
    fix = world.git.commit("fix", {"adapter/app.py": "good again"})

    outcome = await deploy.release(world.ports(), deploy_request(fix.sha))

    assert outcome.state is State.LIVE, outcome.release.reason


async def test_the_update_itself_passes_the_guard_afterwards() -> None:
    world = World.seeded()
    original = world.stack._changes

    def more(program: object) -> list[ResourceChange]:
        changes = original(program)  # type: ignore[arg-type] # passed through
        return [*changes, ResourceChange("urn:other", "create", "Service")]

    def plant() -> None:
        world.stack._changes = more  # type: ignore[method-assign] # planted

    def heal() -> None:
        world.stack._changes = original  # type: ignore[method-assign] # as it was

    world.faults.before("stack.up", plant)
    world.faults.before("stack.refresh", heal)

    outcome = await restored(world, "second")

    assert outcome.code == "not-image-only"
    assert "urn:other" in outcome.release.reason


async def test_a_first_key_that_fails_is_taken_away_again() -> None:
    """The program asked for an image of its own before; without the key it does so again."""
    world = World.seeded()
    running = world.runs()
    world.resources[0].default = world.resources[0].recorded
    world.config.edit("bob", adapterImage=None)
    request = deploy_request(world.commits["crashing"].sha, Options(first=True))

    outcome = await deploy.release(world.ports(), request)

    assert summary(outcome) == "restored: disproven", outcome.release.reason
    assert "adapterImage" not in world.config.latest.values
    assert world.runs() == running


async def test_a_first_key_that_the_program_needs_stays_at_what_ran() -> None:
    world = World.seeded()
    running = world.runs()
    world.config.edit("bob", adapterImage=None)
    request = deploy_request(world.commits["crashing"].sha, Options(first=True))

    outcome = await deploy.release(world.ports(), request)

    assert summary(outcome) == "restored: disproven", outcome.release.reason
    assert world.value == reference_of(world, "first")
    assert world.runs() == running
    assert "the program can't do without it" in outcome.release.notes[0]


async def test_a_first_key_whose_pin_never_arrived_stays_unset() -> None:
    """Though the program can't do without it: nobody has written anything that could be undone."""
    world = World.seeded()
    running = world.runs()
    world.config.edit("bob", adapterImage=None)
    world.faults.before("config.write", raising(Unreachable("connection refused")))
    request = deploy_request(world.commits["second"].sha, Options(first=True))

    outcome = await deploy.release(world.ports(), request)

    assert outcome.state is State.RESTORED, outcome.release.reason
    assert "adapterImage" not in world.config.latest.values
    assert world.runs() == running
    assert "stack.up" not in world.faults.effects


async def test_a_first_deployment_that_fails_leaves_no_key_and_needs_attention() -> None:
    world = World.seeded()
    _nothing_there(world)
    request = deploy_request(world.commits["crashing"].sha, Options(first=True))

    outcome = await deploy.release(world.ports(), request)

    assert summary(outcome) == "needs attention: disproven", outcome.release.reason
    assert "adapterImage" not in world.config.latest.values
    assert "nothing healthy to go back to" in outcome.release.reason
    assert not outcome.release.unproven


async def test_a_first_deployment_that_runs_ends_live() -> None:
    world = World.seeded()
    _nothing_there(world)
    request = deploy_request(world.commits["second"].sha, Options(first=True))

    outcome = await deploy.release(world.ports(), request)

    assert outcome.state is State.LIVE, outcome.release.reason
    assert world.value == reference_of(world, "second")
    assert world.runs() == {world.digest_of("second")}


def _nothing_there(world: World) -> None:
    """The program is there, and nothing of it has been applied for the service yet."""
    key = (world.deployment.namespace, world.deployment.name)
    del world.cluster.deployments[key]
    world.deployment.pods.clear()
    world.deployment.sets.clear()
    world.deployment.image = ""
    world.resources[0].exists, world.resources[0].recorded = False, ""
    world.config.edit("bob", adapterImage=None)


def _break(world: World, image: FakeImage) -> None:
    """Somebody rolled out a crashing image by hand and left it so, old pods gone."""
    reference = f"{world.target.service.repository}:{world.commits['crashing']}@{image.digest}"
    world.config.edit("bob", adapterImage=reference)
    world.resources[0].recorded = reference
    world.cluster.set_image(world.deployment, reference)
    pod: FakePod = world.deployment.pods[-1]
    pod.created -= 300.0
    world.deployment.pods = [pod]


async def test_a_stack_that_stays_locked_after_the_pin_is_not_tried_for_ever() -> None:
    world = World.seeded()
    before = world.value
    locked = StackBusy("the stack is locked: wait for its update's end")
    world.faults.always("stack.up", locked)
    began = asyncio.get_running_loop().time()

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.NEEDS_ATTENTION
    assert outcome.code == "stack-busy"
    assert world.value == before
    assert asyncio.get_running_loop().time() - began < 2 * IDLE_WITHIN

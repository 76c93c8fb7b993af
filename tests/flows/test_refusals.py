"""Refusals: what ends before anything that deploys is changed, and what it says."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from flows import deploy
from slipway.domain.change import PathChange, ResourceChange
from slipway.domain.config import KeyForm
from slipway.domain.image import Digest
from slipway.domain.publication import BUILD_INPUTS_LABEL, REVISION_LABEL
from slipway.domain.release import Options, Outcome, Phase, State
from slipway.domain.target import Allowance
from slipway.errors import (
    AccessDenied,
    ConfigRejected,
    PreviewFailed,
    PushFailed,
    StackUnusable,
    Unreachable,
)
from slipway.tasks.applying import IDLE_WITHIN
from tests.fakes.faults import raising
from tests.fakes.images import make_image
from tests.fakes.world import World, deploy_request, reference_of, summary

EFFECTS = {"config.write", "stack.up", "stack.refresh"}
SERVICE = "urn:pulumi:prod::oceanid-cluster::kubernetes:core/v1:Service::web"
SERVICE_TYPE = "kubernetes:core/v1:Service"


async def refused(world: World, wanted: str, options: Options | None = None) -> Outcome:
    """Ask for a deploy that must change nothing that deploys."""
    before = (world.config.latest, world.deployment.image, tuple(world.updates))
    outcome = await deploy.release(world.ports(), deploy_request(wanted, options))
    assert outcome.state is State.REFUSED, outcome.release.reason
    assert before == (world.config.latest, world.deployment.image, tuple(world.updates))
    assert not EFFECTS & set(world.faults.effects)
    return outcome


@pytest.mark.parametrize(
    ("wanted", "code", "says"),
    [
        ("0" * 40, "unknown-commit", "0" * 40),
        ("f" * 7, "unknown-commit", "fffffff"),
        ("a" * 41, "invalid-input", "41 characters"),
        ("ABCDEF0" * 5 + "ABCDE", "invalid-input", "lower case"),
        ("main", "invalid-input", "branch"),
        ("abc123", "invalid-input", "at least 7"),
        ("", "invalid-input", "no commit"),
    ],
)
async def test_what_is_not_a_commit_is_refused_by_name(wanted: str, code: str, says: str) -> None:
    world = World.seeded()

    outcome = await refused(world, wanted)

    assert outcome.code == code
    assert says in outcome.release.reason


async def test_an_ambiguous_abbreviation_is_refused_with_what_it_fits() -> None:
    world = World.seeded()
    for last in "01":
        world.git.commit("twin", {"adapter/app.py": f"good {last}"}, sha="c0ffee1" + last * 33)

    outcome = await refused(world, "c0ffee1")

    assert outcome.code == "ambiguous-commit"
    assert "c0ffee1" + "1" * 33 in outcome.release.reason


async def test_a_commit_off_the_main_line_is_refused() -> None:
    world = World.seeded()
    world.git.branch("feature", world.commits["second"])
    feature = world.git.commit("feature", {"adapter/app.py": "good f"}, branch="feature")

    outcome = await refused(world, feature.sha)

    assert outcome.code == "not-on-main-line"


async def test_a_commit_without_the_folder_is_refused() -> None:
    world = World.seeded()
    gone = world.git.commit("gone", {"adapter/app.py": "", "adapter/README.md": ""})

    outcome = await refused(world, gone.sha)

    assert outcome.code == "folder-absent"


async def test_an_ancestor_of_what_is_live_is_refused_and_told_to_roll_back() -> None:
    world = World.seeded()
    await deploy.release(world.ports(), deploy_request(world.commits["third"].sha))
    world.faults.effects.clear()

    outcome = await refused(world, world.commits["second"].sha)

    assert "builder.build" not in world.faults.effects
    assert outcome.code == "older-than-live"
    assert "slipway rollback ls-triton-adapter-prod" in outcome.release.reason


async def test_what_does_not_compile_is_refused_and_leaves_no_tag() -> None:
    world = World.seeded()
    main = world.registry.tagged[world.target.service.repository, "main"]

    outcome = await refused(world, world.commits["broken"].sha)

    assert outcome.code == "build-failed"
    assert world.digest_of("broken") is None
    assert world.registry.tagged[world.target.service.repository, "main"] == main


async def test_a_denied_push_is_refused_and_leaves_no_tag() -> None:
    world = World.seeded()
    world.registry.may_push = False

    outcome = await refused(world, world.commits["second"].sha)

    assert outcome.code == "access-denied"
    assert "builder.build" not in world.faults.effects, "a build may take minutes"
    assert world.digest_of("second") is None


async def test_an_image_that_is_there_needs_neither_docker_nor_the_right_to_push() -> None:
    world = World.seeded()
    world.publish("second")
    world.registry.may_push = False
    world.faults.always("builder.check", Unreachable("no engine"))

    request = deploy_request(world.commits["second"].sha)
    outcome = await deploy.release(world.ports(), request)

    assert outcome.state is State.LIVE, outcome.release.reason


async def test_a_registry_that_stays_down_is_refused_after_some_tries() -> None:
    world = World.seeded()
    world.faults.always("builder.push", Unreachable("connection refused"))

    outcome = await refused(world, world.commits["second"].sha)

    assert outcome.code == "unreachable"
    assert world.faults.effects.count("builder.push") == 4
    assert world.digest_of("second") is None


async def test_a_registry_that_blinks_during_the_push_does_no_harm() -> None:
    world = World.seeded()
    world.faults.before("builder.push", raising(Unreachable("connection reset")))

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.LIVE


async def test_a_push_whose_answer_was_lost_is_not_done_twice() -> None:
    world = World.seeded()
    world.faults.after("builder.push", raising(Unreachable("answer lost")))

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.LIVE
    assert world.faults.effects.count("builder.push") == 1


async def test_a_registry_that_holds_something_else_after_the_push_is_refused() -> None:
    world = World.seeded()
    other = make_image("other", {"org.opencontainers.image.revision": "9" * 40})
    repository, tag = world.target.service.repository, world.commits["second"].sha
    world.faults.after("builder.push", lambda: world.registry.put(repository, tag, other))

    outcome = await refused(world, tag)

    assert outcome.code == PushFailed.code


@pytest.mark.parametrize("label", ["9" * 40, "third", "v1"])
async def test_a_tag_with_another_commits_label_is_refused_and_never_overwritten(
    label: str,
) -> None:
    world = World.seeded()
    label = world.commits[label].sha if label in world.commits else label
    inputs = await world.git.build_inputs(world.commits["second"], world.target.service)
    labels = {REVISION_LABEL: label, BUILD_INPUTS_LABEL: inputs}
    other = world.publish("second", labels)

    outcome = await refused(world, world.commits["second"].sha)

    assert outcome.code == "tag-conflict"
    assert label in outcome.release.reason
    assert world.digest_of("second") == other.digest


@pytest.mark.parametrize("says_same_inputs", [False, True])
async def test_an_image_without_a_revision_label_is_refused_unless_it_is_adopted(
    *, says_same_inputs: bool
) -> None:
    """What an image says of its own build inputs proves nothing."""
    world = World.seeded()
    inputs = await world.git.build_inputs(world.commits["second"], world.target.service)
    foreign = world.publish("second", {BUILD_INPUTS_LABEL: inputs} if says_same_inputs else {})

    outcome = await refused(world, world.commits["second"].sha)
    adopted = await deploy.release(
        world.ports(), deploy_request(world.commits["second"].sha, Options(adopt_image=True))
    )

    assert outcome.code == "tag-conflict"
    assert "--adopt-image" in outcome.release.reason
    assert adopted.state is State.LIVE
    assert world.runs() == {foreign.digest}


async def test_a_tag_that_was_overwritten_since_it_was_published_is_refused() -> None:
    world = World.seeded()
    await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))
    await deploy.release(world.ports(), deploy_request(world.commits["third"].sha))
    world.publish("third", {"org.opencontainers.image.revision": world.commits["third"].sha})
    world.faults.effects.clear()

    outcome = await refused(world, world.commits["third"].sha)

    assert outcome.code == "tag-conflict"
    assert "overwritten" in outcome.release.reason


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda world: world.cluster.secrets.clear(), "does not exist"),
        (
            lambda world: world.cluster.add_secret("ghcr-creds", "quay.io", "puller", "x"),
            "is for quay.io, but the image is at ghcr.io",
        ),
        (lambda world: world.registry.passwords.clear(), "was rejected"),
        (
            lambda world: world.cluster.secrets.update(
                {
                    "ghcr-creds": replace(
                        world.cluster.secrets["ghcr-creds"], problem="it is of type Opaque"
                    )
                }
            ),
            "it is of type Opaque",
        ),
    ],
)
async def test_a_pull_secret_that_can_not_pull_is_refused_before_the_build(
    spoil: Callable[[World], None], says: str
) -> None:
    world = World.seeded()
    spoil(world)

    outcome = await refused(world, world.commits["second"].sha)

    assert outcome.code == "pull-secret-unusable"
    assert says in outcome.release.reason
    assert "ghcr-creds" in outcome.release.reason
    assert "builder.build" not in world.faults.effects


@pytest.mark.parametrize(
    "form",
    [KeyForm.SECRET, KeyForm.INTERPOLATED, KeyForm.ALIAS, KeyForm.INHERITED, KeyForm.NOT_TEXT],
)
async def test_an_esc_key_that_can_not_be_replaced_is_refused_by_name(form: KeyForm) -> None:
    world = World.seeded()
    world.config.edit("bob", adapterImage=form)

    outcome = await refused(world, world.commits["second"].sha)

    assert outcome.code == "config-key-unusable"
    assert f"oceanid-cluster:adapterImage is {form}" in outcome.release.reason


@pytest.mark.parametrize(("change", "seen"), [(None, "missing"), ("", "empty")])
async def test_an_absent_esc_key_is_refused(change: str | None, seen: str) -> None:
    world = World.seeded()
    world.config.edit("bob", adapterImage=change)

    outcome = await refused(world, world.commits["second"].sha)

    assert outcome.code == "config-key-unusable"
    assert seen in outcome.release.reason


async def test_a_key_that_the_stack_file_shadows_is_refused() -> None:
    world = World.seeded()
    world.stack.shadows["oceanid-cluster:adapterImage"] = "ghcr.io/acme/shop/x:old"

    outcome = await refused(world, world.commits["second"].sha)

    assert "builder.build" not in world.faults.effects
    assert outcome.code == "config-key-unusable"
    assert "cluster/Pulumi.prod.yaml sets oceanid-cluster:adapterImage" in outcome.release.reason


async def test_an_esc_that_refuses_the_definition_ends_refused_with_nothing_changed() -> None:
    world = World.seeded()
    before = world.config.latest
    world.faults.before("config.write", raising(ConfigRejected("line 3: unknown import")))

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert summary(outcome) == "refused: config-rejected"
    assert world.config.latest == before
    assert "stack.up" not in world.faults.effects


async def test_an_image_that_somebody_else_pins_meanwhile_is_left_to_them() -> None:
    world = World.seeded()
    theirs = "ghcr.io/acme/shop/ls-triton-adapter:main"
    world.faults.before("config.write", lambda: world.config.edit("bob", adapterImage=theirs))

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert summary(outcome) == "refused: config-changed"
    assert "revision 3 by bob" in outcome.release.reason
    assert world.value == theirs
    assert "stack.up" not in world.faults.effects


async def test_an_environment_that_keeps_changing_is_refused_after_three_tries() -> None:
    world = World.seeded()
    for number in range(3):
        edit = partial(world.config.edit, "bob", other=str(number))
        world.faults.before("config.write", edit)

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert summary(outcome) == "refused: config-changed"
    assert world.config.latest.values["other"] == "2"


async def test_another_keys_change_meanwhile_that_would_ship_too_is_refused() -> None:
    world = World.seeded()
    value, other = world.value, "ghcr.io/acme/shop/annotations-sink:main"
    world.faults.before("config.write", lambda: world.config.edit("bob", sinkImage=other))

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert summary(outcome) == "refused: not-image-only"
    assert world.value == value
    assert "stack.up" not in world.faults.effects


async def test_another_keys_change_meanwhile_is_kept_and_the_release_goes_live() -> None:
    world = World.seeded()
    world.faults.before("config.write", lambda: world.config.edit("bob", other="new"))

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.LIVE
    assert world.config.latest.values["other"] == "new"


async def test_a_program_that_fails_at_preview_is_refused() -> None:
    world = World.seeded()
    world.faults.always("stack.preview", PreviewFailed("line 12: no such property"))

    outcome = await refused(world, world.commits["second"].sha)

    assert outcome.code == "preview-failed"


@pytest.mark.parametrize(
    "change",
    [
        ResourceChange(
            SERVICE, "update", "kubernetes:core/v1:Service", (PathChange("spec", "update"),)
        ),
        ResourceChange(SERVICE, "create", "kubernetes:core/v1:Service"),
        ResourceChange(SERVICE, "delete", "kubernetes:core/v1:Service"),
        ResourceChange(SERVICE, "replace", "kubernetes:core/v1:Service"),
    ],
)
async def test_a_preview_that_changes_more_than_the_image_is_refused(
    change: ResourceChange,
) -> None:
    world = World.seeded()
    world.stack.extra.append(change)

    outcome = await refused(world, world.commits["second"].sha)

    assert outcome.code == "not-image-only"
    assert SERVICE in outcome.release.reason


async def test_what_a_refusal_shows_can_be_allowed_by_what_it_prints_and_is_recorded() -> None:
    world = World.seeded()
    path = PathChange("spec", "update", "80 becomes 81")
    world.stack.extra.append(ResourceChange(SERVICE, "update", SERVICE_TYPE, (path,)))
    shown = (await refused(world, world.commits["second"].sha)).release.reason
    [printed] = re.findall("--allow-change '(.*?)'", shown)
    options = Options(allow_changes=(Allowance.parse(printed),))

    outcome = await deploy.release(
        world.ports(), deploy_request(world.commits["second"].sha, options)
    )

    assert outcome.state is State.LIVE
    assert outcome.release.request.options.allow_changes == options.allow_changes


@pytest.mark.parametrize(
    "now",
    [
        ResourceChange(
            SERVICE, "update", SERVICE_TYPE, (PathChange("spec", "update", "80 becomes 82"),)
        ),
        ResourceChange(
            SERVICE, "replace", SERVICE_TYPE, (PathChange("spec", "update", "80 becomes 81"),)
        ),
    ],
)
async def test_what_was_allowed_once_does_not_let_another_change_pass(now: ResourceChange) -> None:
    world = World.seeded()
    path = PathChange("spec", "update", "80 becomes 81")
    world.stack.extra.append(ResourceChange(SERVICE, "update", SERVICE_TYPE, (path,)))
    shown = (await refused(world, world.commits["second"].sha)).release.reason
    [printed] = re.findall("--allow-change '(.*?)'", shown)
    world.stack.extra[:] = [now]

    options = Options(allow_changes=(Allowance.parse(printed),))

    assert (await refused(world, world.commits["second"].sha, options)).code == "not-image-only"


async def test_the_other_services_unapplied_pin_is_seen_by_the_guard_with_its_author() -> None:
    world = World.seeded()
    await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))
    world.config.edit("bob", sinkImage="ghcr.io/acme/shop/annotations-sink:main")
    world.faults.effects.clear()

    outcome = await refused(world, world.commits["third"].sha)

    assert outcome.code == "not-image-only"
    assert "annotations-sink:spec.template.spec.containers[0].image" in outcome.release.reason
    assert "revision 4 by bob" in outcome.release.reason


async def test_after_an_update_by_hand_the_newest_revisions_are_told_with_their_authors() -> None:
    world = World.seeded()
    world.config.edit("bob", sinkImage="ghcr.io/acme/shop/annotations-sink:main")

    outcome = await refused(world, world.commits["second"].sha)

    assert outcome.code == "not-image-only"
    assert "revision 3 by bob (2026-01-01), revision 2 by ada" in outcome.release.reason


async def test_a_preview_without_its_summary_is_refused() -> None:
    world = World.seeded()
    world.stack.complete = False

    assert (await refused(world, world.commits["second"].sha)).code == "preview-failed"


async def test_a_preview_that_does_not_know_the_image_is_refused() -> None:
    world = World.seeded()
    world.stack.unknown = True

    outcome = await refused(world, world.commits["second"].sha)

    assert outcome.code == "not-image-only"
    assert "not known yet" in outcome.release.reason


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            lambda world: world.cluster.set_image(
                world.deployment, reference_of(world, "first"), "kubectl-set"
            ),
            "field manager kubectl-set",
        ),
        (
            lambda world: setattr(
                world.deployment, "replicas_managers", ("pulumi-kubernetes", "kubectl-rollout")
            ),
            '"path":"/metadata/managedFields/1/manager","value":"kubectl-rollout"}',
        ),
        (
            lambda world: setattr(world.deployment, "replicas_managers", ("kubectl",)),
            "spec.replicas is owned by field manager kubectl",
        ),
        (lambda world: setattr(world.deployment, "paused", True), "is paused"),
        (lambda world: setattr(world.deployment, "replicas", 0), "scaled to zero"),
        (lambda world: setattr(world.resources[0], "recorded", "x"), "Pulumi's state records x"),
        (lambda world: world.cluster.deployments.clear(), "there is no Deployment"),
    ],
)
async def test_a_deployment_that_nobody_could_restore_is_refused(
    spoil: Callable[[World], None], says: str
) -> None:
    world = World.seeded()
    spoil(world)

    outcome = await refused(world, world.commits["second"].sha)

    assert outcome.code == "deployment-unfit", outcome.release.reason
    assert outcome.release.reason.count(says) == 1, outcome.release.reason


async def test_several_things_out_of_order_are_all_named_at_once() -> None:
    world = World.seeded()
    world.cluster.secrets.clear()
    world.config.edit("bob", adapterImage=None)

    outcome = await refused(world, world.commits["second"].sha)

    assert outcome.code == "preflight-failed"
    assert "ghcr-creds" in outcome.release.reason
    assert "adapterImage is missing" in outcome.release.reason


async def test_a_blip_beside_another_fault_is_looked_at_again_and_only_the_fault_is_told() -> None:
    world = World.seeded()
    world.config.edit("bob", adapterImage=None)
    world.faults.before("cluster.check", raising(Unreachable("blink")))

    outcome = await refused(world, world.commits["second"].sha)

    assert outcome.code == "config-key-unusable"
    assert "blink" not in outcome.release.reason


@pytest.mark.parametrize(
    "effect",
    [
        "cluster.check",
        "cluster.observe",
        "stack.check",
        "stack.state",
        "stack.preview",
        "config.read",
        "registry.find",
        "registry.probe",
    ],
)
async def test_a_system_that_blinks_while_it_is_decided_costs_no_build(effect: str) -> None:
    world = World.seeded()
    blink = raising(Unreachable("blink"))
    world.faults.before("stack.prepare", lambda: world.faults.before(effect, blink))

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.LIVE, outcome.release.reason


async def test_a_stack_that_can_not_be_asked_for_its_program_at_once_costs_no_build() -> None:
    world = World.seeded()
    blink = raising(Unreachable("blink"))
    world.faults.after("builder.push", lambda: world.faults.before("stack.state", blink))

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.LIVE, outcome.release.reason


async def test_a_stack_that_stays_busy_is_waited_for_once() -> None:
    world = World.seeded()
    world.held_by.append("bob")
    began = asyncio.get_running_loop().time()

    outcome = await refused(world, world.commits["second"].sha)

    assert outcome.code == "stack-busy"
    assert IDLE_WITHIN <= asyncio.get_running_loop().time() - began < IDLE_WITHIN * 1.5


async def test_two_systems_that_blink_at_once_do_no_harm() -> None:
    world = World.seeded()
    for effect in ("cluster.check", "stack.check"):
        world.faults.before(effect, raising(Unreachable(effect)))

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.LIVE, outcome.release.reason


@pytest.mark.parametrize(
    ("effect", "error", "code"),
    [
        ("stack.check", StackUnusable("the CLI is too old to pin revisions"), "stack-unusable"),
        ("stack.check", AccessDenied("the token was rejected"), "access-denied"),
        ("cluster.check", Unreachable("no answer"), "unreachable"),
        ("config.read", Unreachable("no answer"), "unreachable"),
    ],
)
async def test_a_system_that_can_not_be_used_is_refused(
    effect: str, error: Exception, code: str
) -> None:
    world = World.seeded()
    world.faults.always(effect, error)

    assert (await refused(world, world.commits["second"].sha)).code == code


@pytest.mark.parametrize("adopt", [True, False])
async def test_a_tag_without_any_platform_is_not_called_anybodys(*, adopt: bool) -> None:
    """The labels went with the platforms: to adopt the bare index would help nobody."""
    world = World.seeded()
    world.publish("second")
    digest = world.digest_of("second")
    assert isinstance(digest, Digest)
    world.registry.lose_platform(world.target.service.repository, digest)

    options = Options(adopt_image=adopt)
    outcome = await refused(world, world.commits["second"].sha, options)

    assert outcome.code == "image-missing"
    assert "--adopt-image" not in outcome.release.reason
    assert "push the same image again, or choose another commit" in outcome.release.reason
    assert not outcome.release.phase.reached(Phase.PUBLISHED)


async def test_an_image_for_another_platform_is_refused() -> None:
    world = World.seeded()
    world.cluster.platforms = frozenset({"linux/amd64", "linux/arm64"})

    outcome = await refused(world, world.commits["second"].sha)

    assert outcome.code == "platform-missing"
    assert "linux/arm64" in outcome.release.reason


@pytest.mark.parametrize("by_platform", [True, False])
@pytest.mark.parametrize("what_goes", ["the image", "its platform"])
async def test_a_running_image_that_is_gone_from_the_registry_is_no_way_back(
    what_goes: str, *, by_platform: bool
) -> None:
    """Another node could not pull it, whichever of its digests the runtime tells."""
    world = World.seeded()
    digest = world.digest_of("first")
    assert isinstance(digest, Digest)
    if by_platform:
        [pod] = world.deployment.pods
        assert pod.image is not None
        pod.named = pod.image.child
    spoil = world.registry.delete if what_goes == "the image" else world.registry.lose_platform
    spoil(world.target.service.repository, digest)

    outcome = await refused(world, world.commits["second"].sha)
    built = "builder.build" in world.faults.effects
    forced = await deploy.release(
        world.ports(), deploy_request(world.commits["second"].sha, Options(no_way_back=True))
    )

    assert not built
    assert outcome.code == "image-missing"
    assert "--no-way-back" in outcome.release.reason
    assert forced.state is State.LIVE


async def test_pods_of_two_images_are_no_baseline() -> None:
    world = World.seeded()
    second = world.publish("second")
    stray = replace(world.deployment.pods[0], name="stray", image=second)
    world.deployment.replicas = 2
    world.deployment.pods.append(stray)

    outcome = await refused(world, world.commits["second"].sha)

    assert "its ready pods run different images" in outcome.release.reason


@pytest.mark.parametrize("effect", ["builder.build", "stack.up"])
async def test_a_defects_message_is_recorded_without_the_credentials_in_it(effect: str) -> None:
    world = World.seeded()
    error = RuntimeError("no answer from https://robot:canary@ghcr.io, token=canary")
    world.faults.before(effect, raising(error))

    with pytest.raises(RuntimeError):
        await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    [release, *_] = await world.ledger.history(world.target.name)
    assert release.reason.startswith("crashed: RuntimeError: no answer from https://***@ghcr.io")
    assert "canary" not in release.reason


async def test_a_program_error_of_ours_is_recorded_and_raised() -> None:
    world = World.seeded()
    world.faults.before("builder.build", raising(ZeroDivisionError("ours")))

    with pytest.raises(ZeroDivisionError):
        await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    [release, *_] = await world.ledger.history(world.target.name)
    assert release.state is State.REFUSED
    assert release.reason.startswith("crashed: ZeroDivisionError: ours; report it")

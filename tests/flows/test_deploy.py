"""Deploying: what ends live, and what it leaves everywhere."""

from dataclasses import replace

import pytest

from flows import deploy, rollback
from slipway.domain.image import Digest, ImageReference
from slipway.domain.publication import BUILD_INPUTS_LABEL, REVISION_LABEL
from slipway.domain.release import Kind, Options, State
from slipway.errors import AccessDenied
from tests.fakes.images import make_image
from tests.fakes.world import (
    World,
    deploy_request,
    reference_of,
    rollback_request,
    summary,
)


async def deployed(world: World, name: str) -> None:
    """Deploy a good commit of the history."""
    outcome = await deploy.release(world.ports(), deploy_request(world.commits[name].sha))
    assert outcome.state is State.LIVE, outcome.release.reason


def main_of(world: World) -> Digest:
    """What the service's `:main` points at."""
    return world.registry.tagged[world.target.service.repository, "main"]


async def test_a_good_commit_ends_live_and_every_place_agrees() -> None:
    world = World.seeded()

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.LIVE, outcome.release.reason
    wanted = reference_of(world, "second")
    assert world.value == wanted
    assert world.resources[0].recorded == wanted
    assert world.deployment.image == wanted
    assert world.runs() == {world.digest_of("second")}


async def test_deploying_what_is_live_changes_nothing_anywhere() -> None:
    world = World.seeded()
    await deployed(world, "second")
    before = (world.config.latest.number, len(world.updates), dict(world.registry.tagged))
    world.faults.effects.clear()

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert summary(outcome) == "live: unchanged"
    assert before == (world.config.latest.number, len(world.updates), world.registry.tagged)
    assert not {"builder.build", "stack.up", "config.write"} & set(world.faults.effects)


async def test_a_commit_that_changes_nothing_of_the_build_shares_the_image_of_main() -> None:
    world = World.seeded()
    await deployed(world, "second")
    again = world.git.commit(
        "Say it better", {"adapter/app.py": "good 2", "adapter/README.md": "x"}
    )
    world.faults.effects.clear()

    outcome = await deploy.release(world.ports(), deploy_request(again.sha))

    assert outcome.state is State.LIVE, outcome.release.reason
    assert not {"builder.build", "builder.push"} & set(world.faults.effects)
    assert world.registry.tagged[world.target.service.repository, again.sha] == (
        world.digest_of("second")
    )
    assert world.value is not None
    assert again.sha in world.value


async def test_an_image_of_other_inputs_is_never_shared() -> None:
    world = World.seeded()
    await deployed(world, "second")

    await deployed(world, "third")

    assert world.digest_of("third") not in {None, world.digest_of("second")}


async def test_seven_characters_go_live_under_the_full_commit() -> None:
    world = World.seeded()

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].short))

    assert outcome.release.commit == world.commits["second"]
    assert world.value == reference_of(world, "second")


async def test_main_follows_a_release_that_is_live() -> None:
    world = World.seeded()

    await deployed(world, "second")

    assert main_of(world) == world.digest_of("second")


async def test_main_stays_where_it_is_until_the_release_is_live() -> None:
    world = World.seeded()
    main = main_of(world)

    await deploy.release(world.ports(), deploy_request(world.commits["crashing"].sha))

    assert main_of(world) == main


async def test_main_is_not_moved_backwards_by_a_late_release() -> None:
    world = World.seeded()
    newest = world.publish("third")
    world.registry.tagged[world.target.service.repository, "main"] = newest.digest

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.LIVE
    assert main_of(world) == newest.digest
    assert f"whose revision {world.commits['third']} is no ancestor" in outcome.release.notes[0]


@pytest.mark.parametrize("label", [None, "v1"])
async def test_main_of_which_nobody_can_tell_what_it_is_stays(label: str | None) -> None:
    world = World.seeded()
    labels = {} if label is None else {"org.opencontainers.image.revision": label}
    unknown = world.publish("third", labels)
    world.registry.tagged[world.target.service.repository, "main"] = unknown.digest

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.LIVE
    assert main_of(world) == unknown.digest
    assert "was not moved: it stays" in outcome.release.notes[0]


async def test_main_without_a_label_stays_where_a_newer_commit_than_ours_ran_of_it() -> None:
    world = World.seeded()
    third = world.publish("third", {})
    await deploy.release(
        world.ports(), deploy_request(world.commits["third"].sha, Options(adopt_image=True))
    )
    world.registry.tagged[world.target.service.repository, "main"] = third.digest
    await rollback.release(world.ports(), rollback_request(world.commits["first"].sha))

    await deployed(world, "second")

    assert main_of(world) == third.digest


async def test_main_is_moved_by_none_but_the_target_that_moves_it() -> None:
    """Two targets of one service: staging leaves `:main` to production."""
    world = World.seeded()
    staging = replace(world.target, name="ls-triton-adapter-staging", moves_main=False)
    world.targets[staging.name] = staging
    await deployed(world, "second")

    outcome = await deploy.release(
        world.ports(staging.name), deploy_request(world.commits["third"].sha)
    )

    assert outcome.state is State.LIVE, outcome.release.reason
    assert main_of(world) == world.digest_of("second")


async def test_main_that_can_not_be_moved_is_reported_and_nothing_is_undone() -> None:
    world = World.seeded()
    world.faults.always("registry.tag", PermissionErrorOfTheRegistry("denied"))

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.LIVE
    assert "was not moved: denied" in outcome.release.notes[0]


async def test_main_that_could_not_be_moved_follows_with_the_next_deploy_of_the_same() -> None:
    world = World.seeded()
    world.faults.always("registry.tag", PermissionErrorOfTheRegistry("denied"))
    await deployed(world, "second")
    world.faults.always("registry.tag", None)

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert summary(outcome) == "live: unchanged"
    assert main_of(world) == world.digest_of("second")


async def test_first_contact_records_what_was_found_as_adopted() -> None:
    world = World.seeded()

    await deployed(world, "second")

    newest, adopted = await world.ledger.history(world.target.name)
    assert adopted.kind is Kind.ADOPTED
    assert adopted.digest == world.digest_of("first")
    assert newest.previous_digest == adopted.digest


async def test_what_somebody_deployed_by_hand_since_is_adopted_too() -> None:
    world = World.seeded()
    await deployed(world, "second")
    third = world.publish("third")
    repository = world.target.service.repository
    by_hand = f"{repository}:{world.commits['third']}"
    world.config.edit("bob", adapterImage=by_hand)
    world.resources[0].recorded = by_hand
    world.cluster.set_image(world.deployment, by_hand)
    world.deployment.pods[-1].created -= 60.0
    fourth = world.git.commit("fourth", {"adapter/app.py": "good 4"})

    outcome = await deploy.release(world.ports(), deploy_request(fourth.sha))

    assert outcome.release.previous_digest == third.digest
    kinds = [each.kind for each in await world.ledger.history(world.target.name)]
    assert kinds == [Kind.DEPLOY, Kind.ADOPTED, Kind.DEPLOY, Kind.ADOPTED]


async def test_a_value_that_nothing_applied_yet_is_applied() -> None:
    world = World.seeded()
    world.publish("second")
    world.config.edit("bob", adapterImage=reference_of(world, "second"))
    revision = world.config.latest.number

    await deployed(world, "second")

    assert world.runs() == {world.digest_of("second")}
    assert world.config.latest.number == revision


async def test_a_third_value_that_nothing_applied_is_replaced_and_reported() -> None:
    world = World.seeded()
    world.config.edit("bob", adapterImage="ghcr.io/acme/shop/ls-triton-adapter:main")

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert outcome.state is State.LIVE
    assert "ls-triton-adapter:main" in outcome.release.notes[0]


async def test_a_commit_that_touches_only_documentation_builds_and_goes_live() -> None:
    world = World.seeded()
    for name in ("broken", "crashing"):
        assert name in world.commits
    good = world.git.commit("mend", {"adapter/app.py": "good 9"})
    docs = world.git.commit("docs again", {"adapter/README.md": "more"})
    assert (await deploy.release(world.ports(), deploy_request(good.sha))).state is State.LIVE

    outcome = await deploy.release(world.ports(), deploy_request(docs.sha))

    assert outcome.state is State.LIVE
    assert world.value is not None
    assert docs.sha in world.value


async def test_an_existing_image_of_the_commit_is_reused_without_a_build() -> None:
    world = World.seeded()
    image = world.publish("second")

    await deployed(world, "second")

    assert world.runs() == {image.digest}
    assert "builder.build" not in world.faults.effects


async def test_the_image_of_a_commit_with_the_same_build_inputs_is_reused_and_noted() -> None:
    world = World.seeded()
    image = world.publish("second")
    docs = world.git.commit("revert", {"adapter/app.py": "good 2"})
    repository = world.target.service.repository
    world.registry.put(repository, docs.sha, image)

    outcome = await deploy.release(world.ports(), deploy_request(docs.sha))

    assert outcome.state is State.LIVE, outcome.release.reason
    assert world.runs() == {image.digest}
    assert "builder.build" not in world.faults.effects
    [note] = outcome.release.notes
    assert f"is the image of {world.commits['second']}, whose build inputs are the same" in note
    assert await world.ledger.published(ImageReference(repository, docs.sha)) == image.digest


WORKFLOW = ".github/workflows/images.yml"


async def test_what_a_workflow_built_is_released_without_a_build() -> None:
    world = World.seeded()
    world.change_target(workflow=WORKFLOW)
    image = world.publish("second")

    await deployed(world, "second")

    assert world.runs() == {image.digest}
    assert "builder.build" not in world.faults.effects


async def test_what_a_workflow_has_not_built_yet_is_refused_and_never_built_here() -> None:
    world = World.seeded()
    world.change_target(workflow=WORKFLOW)
    before = world.runs()

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert summary(outcome) == "refused: image-missing"
    assert f"the workflow {WORKFLOW} builds it" in outcome.release.reason
    assert world.runs() == before
    assert "builder.build" not in world.faults.effects


@pytest.mark.parametrize(
    ("labels", "refused"),
    [
        ({"org.opencontainers.image.revision": "d" * 40}, "refused: tag-conflict"),
        ({}, "refused: tag-conflict"),
    ],
)
async def test_what_a_workflow_built_is_held_to_its_label(
    labels: dict[str, str], refused: str
) -> None:
    world = World.seeded()
    world.change_target(workflow=WORKFLOW)
    world.publish("second", labels=labels)

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["second"].sha))

    assert summary(outcome) == refused


async def test_a_revert_takes_the_image_that_was_built_before_without_a_build() -> None:
    world = World.seeded()
    for name in ("second", "third"):
        await deployed(world, name)
    world.faults.effects.clear()
    back = world.git.commit("revert", {"adapter/app.py": "good 2"})

    outcome = await deploy.release(world.ports(), deploy_request(back.sha))

    assert outcome.state is State.LIVE, outcome.release.reason
    assert world.runs() == {world.digest_of("second")}
    assert "builder.build" not in world.faults.effects
    assert back.sha in (world.value or "")
    tag = ImageReference(world.target.service.repository, back.sha)
    assert await world.ledger.published(tag) == world.digest_of("second")
    assert any("whose build inputs are the same" in note for note in outcome.release.notes)


async def test_a_revert_takes_its_image_however_many_were_published_since() -> None:
    world = World.seeded()
    await deployed(world, "second")
    repository = world.target.service.repository
    for number in range(40):
        later = world.git.commit(f"later {number}", {"adapter/app.py": f"good {number} of many"})
        image = make_image(f"later {number}", {})
        inputs = await world.git.build_inputs(later, world.target.service)
        tag = ImageReference(repository, later.sha)
        await world.ledger.record_published(tag, image.digest, inputs)
    await deployed(world, "third")
    world.faults.effects.clear()
    back = world.git.commit("revert", {"adapter/app.py": "good 2"})

    outcome = await deploy.release(world.ports(), deploy_request(back.sha))

    assert outcome.state is State.LIVE, outcome.release.reason
    assert world.runs() == {world.digest_of("second")}
    assert "builder.build" not in world.faults.effects


async def test_an_image_that_was_built_with_other_arguments_is_not_shared() -> None:
    """`:main` names it, and its commit has the same files."""
    world = World.seeded()
    await deployed(world, "second")
    arguments = (("FLAVOUR", "dark"),)
    world.change_target(service=replace(world.target.service, build_arguments=arguments))
    world.faults.effects.clear()
    same = world.git.commit("only words", {"adapter/app.py": "good 2", "adapter/README.md": "x"})

    outcome = await deploy.release(world.ports(), deploy_request(same.sha))

    assert outcome.state is State.LIVE, outcome.release.reason
    assert "builder.build" in world.faults.effects


async def test_an_image_from_before_the_ledger_is_shared_while_main_names_it() -> None:
    world = World.seeded()
    image = world.publish("second")
    world.registry.put(world.target.service.repository, "main", image)
    same = world.git.commit("only words", {"adapter/app.py": "good 2", "adapter/README.md": "x"})

    outcome = await deploy.release(world.ports(), deploy_request(same.sha))

    assert outcome.state is State.LIVE, outcome.release.reason
    assert world.runs() == {image.digest}
    assert "builder.build" not in world.faults.effects


async def test_of_two_images_of_equal_inputs_the_one_that_runs_is_shared() -> None:
    """Two services' deploys may build them beside each other; nothing has to be rolled out."""
    world = World.seeded()
    await deployed(world, "second")
    repository = world.target.service.repository
    twin = world.git.commit("twin", {"adapter/app.py": "good 2", "adapter/README.md": "a twin"})
    inputs = await world.git.build_inputs(twin, world.target.service)
    built_late = make_image("built late", {REVISION_LABEL: twin.sha, BUILD_INPUTS_LABEL: inputs})
    world.registry.put(repository, twin.sha, built_late)
    tag = ImageReference(repository, twin.sha)
    await world.ledger.record_published(tag, built_late.digest, inputs)
    same = world.git.commit("words", {"adapter/app.py": "good 2", "adapter/README.md": "words"})

    outcome = await deploy.release(world.ports(), deploy_request(same.sha))

    assert outcome.state is State.LIVE, outcome.release.reason
    assert world.runs() == {world.digest_of("second")}


async def test_an_image_of_equal_inputs_that_is_gone_is_built_again() -> None:
    world = World.seeded()
    for name in ("second", "third"):
        await deployed(world, name)
    gone = world.digest_of("second")
    assert gone is not None
    world.registry.delete(world.target.service.repository, gone)
    world.faults.effects.clear()
    back = world.git.commit("revert", {"adapter/app.py": "good 2"})

    outcome = await deploy.release(world.ports(), deploy_request(back.sha))

    assert outcome.state is State.LIVE, outcome.release.reason
    assert "builder.build" in world.faults.effects


async def test_an_adopted_image_without_a_label_is_never_shared() -> None:
    world = World.seeded()
    world.publish("second", labels={})
    adopting = Options(adopt_image=True)
    request = deploy_request(world.commits["second"].sha, adopting)
    assert (await deploy.release(world.ports(), request)).state is State.LIVE
    world.faults.effects.clear()
    same = world.git.commit("revert", {"adapter/app.py": "good 2"})

    outcome = await deploy.release(world.ports(), deploy_request(same.sha))

    assert outcome.state is State.LIVE, outcome.release.reason
    assert "builder.build" in world.faults.effects


async def test_two_services_change_one_value_and_one_deployment_each() -> None:
    world = World.seeded()
    pods = [pod.name for pod in world.neighbour.pods]
    sink = world.config.latest.values["sinkImage"]

    await deployed(world, "second")

    assert [pod.name for pod in world.neighbour.pods] == pods
    assert world.config.latest.values["sinkImage"] == sink


@pytest.mark.parametrize("name", ["second", "crashing", "broken"])
async def test_no_lease_outlives_its_release(name: str) -> None:
    world = World.seeded()

    await deploy.release(world.ports(), deploy_request(world.commits[name].sha))

    assert await world.ledger.holder(str(world.target.stack)) is None


class PermissionErrorOfTheRegistry(AccessDenied):
    """A registry that refuses to move a tag."""

"""Rolling back: to a commit, to what was there before, and never in circles."""

from flows import deploy, rollback
from slipway.domain.change import DEPLOYMENT_TYPE, ContainerInput, PathChange, ResourceChange
from slipway.domain.image import Digest
from slipway.domain.release import Kind, Options, Outcome, State
from tests.fakes.world import World, deploy_request, reference_of, rollback_request, summary


async def deployed(world: World, *names: str) -> None:
    for name in names:
        outcome = await deploy.release(world.ports(), deploy_request(world.commits[name].sha))
        assert outcome.state is State.LIVE, outcome.release.reason


async def rolled_back(world: World, to: str = "previous") -> Outcome:
    return await rollback.release(world.ports(), rollback_request(to))


async def test_a_rollback_to_an_older_live_commit_ends_live() -> None:
    world = World.seeded()
    await deployed(world, "second", "third")

    outcome = await rolled_back(world, world.commits["second"].short)

    assert outcome.state is State.LIVE, outcome.release.reason
    assert outcome.release.kind is Kind.ROLLBACK
    assert world.value == reference_of(world, "second")
    assert world.runs() == {world.digest_of("second")}


async def test_a_rollback_to_what_somebody_deployed_by_hand_before_slipway_ends_live() -> None:
    world = World.seeded()
    await deployed(world, "second")

    outcome = await rolled_back(world)

    assert outcome.state is State.LIVE, outcome.release.reason
    assert world.runs() == {world.digest_of("first")}


async def test_previous_twice_goes_further_back_instead_of_forth() -> None:
    world = World.seeded()
    await deployed(world, "second", "third")

    once = await rolled_back(world)
    twice = await rolled_back(world)
    thrice = await rolled_back(world)

    assert once.release.digest == world.digest_of("second")
    assert twice.release.digest == world.digest_of("first")
    assert summary(thrice) == "refused: no-candidate"
    assert world.runs() == {world.digest_of("first")}


async def test_previous_after_a_new_deploy_is_what_ran_before_it() -> None:
    world = World.seeded()
    await deployed(world, "second", "third")
    await rolled_back(world)
    fourth = world.git.commit("fourth", {"adapter/app.py": "good 4"})
    await deploy.release(world.ports(), deploy_request(fourth.sha))

    outcome = await rolled_back(world)

    assert outcome.release.digest == world.digest_of("second")


async def test_previous_skips_a_release_whose_image_is_gone() -> None:
    world = World.seeded()
    await deployed(world, "second", "third")
    second = world.digest_of("second")
    assert isinstance(second, Digest)
    world.registry.delete(world.target.service.repository, second)

    outcome = await rolled_back(world)

    assert outcome.release.digest == world.digest_of("first")


async def test_a_release_that_was_restored_is_never_the_previous_one() -> None:
    world = World.seeded()
    await deployed(world, "second")
    await deploy.release(world.ports(), deploy_request(world.commits["crashing"].sha))

    outcome = await rolled_back(world)

    assert outcome.release.digest == world.digest_of("first")


async def test_a_commit_without_an_image_is_refused_with_the_list_of_what_there_is() -> None:
    world = World.seeded()
    await deployed(world, "second")

    outcome = await rolled_back(world, world.commits["third"].sha)

    assert summary(outcome) == "refused: image-missing"
    assert f"{world.commits['second'].short} (second)" in outcome.release.reason
    assert f"{world.commits['first'].short} (Serve)" in outcome.release.reason


async def test_a_rollback_to_what_runs_is_refused() -> None:
    world = World.seeded()
    await deployed(world, "second")

    outcome = await rolled_back(world, world.commits["second"].sha)

    assert summary(outcome) == "refused: already-live"


async def test_a_rollback_does_not_move_main() -> None:
    world = World.seeded()
    await deployed(world, "second", "third")
    main = world.registry.tagged[world.target.service.repository, "main"]

    await rolled_back(world)

    assert world.registry.tagged[world.target.service.repository, "main"] == main


async def test_a_rollback_to_an_image_without_labels_is_allowed() -> None:
    world = World.seeded()
    foreign = world.publish("second", {})

    outcome = await rolled_back(world, world.commits["second"].sha)

    assert outcome.state is State.LIVE, outcome.release.reason
    assert world.runs() == {foreign.digest}


async def test_a_rollback_goes_to_what_was_published_wherever_the_tag_points_since() -> None:
    world = World.seeded()
    await deployed(world, "second", "third")
    second = world.digest_of("second")
    assert world.publish("second").digest != second

    outcome = await rolled_back(world, world.commits["second"].sha)

    assert outcome.state is State.LIVE, outcome.release.reason
    assert world.runs() == {second}


async def test_a_rollback_goes_to_what_was_adopted_wherever_the_tag_points_since() -> None:
    world = World.seeded()
    first = world.digest_of("first")
    await deployed(world, "second")
    assert world.publish("first").digest != first

    outcome = await rolled_back(world, world.commits["first"].sha)

    assert outcome.state is State.LIVE, outcome.release.reason
    assert world.runs() == {first}


async def test_a_rollback_to_an_overwritten_tag_whose_image_is_gone_is_refused_naming_both() -> (
    None
):
    world = World.seeded()
    await deployed(world, "second", "third")
    second = world.digest_of("second")
    assert second is not None
    world.registry.delete(world.target.service.repository, second)
    other = world.publish("second")

    outcome = await rolled_back(world, world.commits["second"].sha)

    assert summary(outcome) == "refused: tag-conflict"
    assert f"published as {second}" in outcome.release.reason
    assert f"holds {other.digest} now" in outcome.release.reason
    assert world.runs() == {world.digest_of("third")}


async def test_a_rollback_to_another_commits_image_is_refused() -> None:
    world = World.seeded()
    await deployed(world, "third")
    world.publish("second", {"org.opencontainers.image.revision": "9" * 40})

    outcome = await rolled_back(world, world.commits["second"].sha)

    assert summary(outcome) == "refused: tag-conflict"
    assert "9" * 40 in outcome.release.reason


async def test_a_rollback_that_does_not_come_up_is_restored() -> None:
    world = World.seeded()
    await deployed(world, "second")
    world.publish("crashing")

    outcome = await rolled_back(world, world.commits["crashing"].sha)

    assert outcome.state is State.RESTORED
    assert world.runs() == {world.digest_of("second")}


async def test_a_rollback_keeps_the_program_that_was_applied_last() -> None:
    world = World.seeded()
    await deployed(world, "second", "third")

    outcome = await rolled_back(world)

    assert outcome.release.program == world.commits["third"]


async def test_a_deploy_older_than_the_program_applied_last_keeps_the_newer_program() -> None:
    world = World.seeded()
    await deployed(world, "third")
    await rolled_back(world)
    sink = deploy_request(world.commits["second"].sha)

    outcome = await deploy.release(world.ports("annotations-sink-prod"), sink)

    assert outcome.state is State.LIVE, outcome.release.reason
    assert outcome.release.program == world.commits["third"]


async def test_a_deploy_after_a_rollback_goes_forward_again() -> None:
    world = World.seeded()
    await deployed(world, "second", "third")
    await rolled_back(world)

    outcome = await deploy.release(world.ports(), deploy_request(world.commits["third"].sha))

    assert outcome.state is State.LIVE, outcome.release.reason
    assert world.runs() == {world.digest_of("third")}


async def test_only_the_image_goes_back_where_somebody_elses_change_stands_in_the_way() -> None:
    world = World.seeded()
    await deployed(world, "second")
    sink, neighbour = "ghcr.io/acme/shop/annotations-sink:half-done", world.neighbour.image
    world.config.edit("bob", sinkImage=sink)

    refused = await rolled_back(world)
    only = rollback_request(options=Options(only_image=True))
    outcome = await rollback.release(world.ports(), only)

    assert summary(refused) == "refused: not-image-only"
    assert outcome.state is State.LIVE, outcome.release.reason
    assert world.runs() == {world.digest_of("first")}
    assert world.neighbour.image == neighbour
    assert world.config.latest.values["sinkImage"] == sink


async def test_only_the_image_is_guarded_all_the_same() -> None:
    world = World.seeded()
    await deployed(world, "second")
    replicas = PathChange("spec.replicas", "update")
    containers = (ContainerInput(0, "adapter", reference_of(world, "first")),)
    urn = world.resources[0].urn
    world.stack.extra = [ResourceChange(urn, "update", DEPLOYMENT_TYPE, (replicas,), containers)]

    only = rollback_request(options=Options(only_image=True))
    outcome = await rollback.release(world.ports(), only)

    assert summary(outcome) == "refused: not-image-only"
    assert "spec.replicas" in outcome.release.reason
    assert world.runs() == {world.digest_of("second")}

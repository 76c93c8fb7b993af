"""Deploys that go live: what they change, and what they leave alone."""

import re

import pytest

from slipway.domain.release import State
from tests.sandbox.releases.ends import facts, is_live
from tests.sandbox.releases.real_world import ADAPTER, SINK, RealWorld
from tests.sandbox.witness import digest_in_registry

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]


async def test_seven_characters_go_live_under_the_full_commit_and_again_nothing_happens(
    world: RealWorld,
) -> None:
    commit = world.commit()

    first = await world.deploy(commit.short)
    after_first, tags = await facts(world), await world.tags()
    second = await world.deploy(commit)

    await is_live(world, first)
    assert first.release.commit == commit
    repository = (await world.eyes()).target.service.repository
    assert digest_in_registry(world.box, f"{repository}:{commit}") == str(first.release.digest)
    assert commit.short not in tags
    assert after_first.main == first.release.digest
    assert (second.state, second.code) == (State.LIVE, "unchanged")
    # No ESC revision, no Pulumi update, no image, no other pod, no moved tag.
    assert (await facts(world), await world.tags()) == (after_first, tags)


async def test_what_was_deployed_by_hand_is_recorded_as_adopted_before_the_first_release(
    world: RealWorld,
) -> None:
    """The example begins without a ledger, with a value that is a tag only."""
    await world.deploy(world.commit())

    *releases, found_running = await world.history()

    [by_hand] = re.findall(r"adapterImage: (\S+)", world.esc.definition_at(2))  # 1 is empty
    image, _, commit = by_hand.rpartition(":")
    assert (found_running["kind"], found_running["state"]) == ("adopted", "live")
    assert (found_running["commit"], len(commit)) == (commit, 40)
    assert found_running["digest"] == digest_in_registry(world.box, f"{image}:{commit}")
    assert "adopted" not in {each["kind"] for each in releases}


@pytest.mark.parametrize(
    ("name", "deployment", "other", "untouched"),
    [
        (ADAPTER, "ls-triton-adapter", SINK, "annotations-sink"),
        (SINK, "annotations-sink", ADAPTER, "ls-triton-adapter"),
    ],
)
async def test_of_two_services_in_one_stack_one_value_and_one_deployment_change(
    world: RealWorld, name: str, deployment: str, other: str, untouched: str
) -> None:
    commit = world.commit(files={"sink/src/release": f"for {name}\n"})
    definition, value = world.esc.definition(), await world.value(name)
    there, pods = world.kubectl.get("deployment", untouched), births(world, untouched)
    theirs = await facts(world, other)
    generation = world.kubectl.get("deployment", deployment)["metadata"]["generation"]
    assert value is not None

    outcome = await world.deploy(commit, await world.ports(name))

    await is_live(world, outcome, name)
    assert world.esc.definition() == definition.replace(value, outcome.release.image)
    assert definition.count(value) == 1
    mine = world.kubectl.get("deployment", deployment)["metadata"]
    assert mine["generation"] == generation + 1
    assert (
        world.kubectl.get("deployment", untouched)["metadata"]["generation"]
        == (there["metadata"]["generation"])
    )
    assert births(world, untouched) == pods
    now = await facts(world, other)
    assert (now.image, now.running, now.main) == (theirs.image, theirs.running, theirs.main)


def births(world: RealWorld, deployment: str) -> dict[str, tuple[str, str]]:
    """The pods that do not end, by their uid, with when they were made and started."""
    listed = world.kubectl.get("pods", f"--selector=app={deployment}")["items"]
    return {
        pod["metadata"]["uid"]: (pod["metadata"]["creationTimestamp"], pod["status"]["startTime"])
        for pod in listed
        if "deletionTimestamp" not in pod["metadata"]
    }

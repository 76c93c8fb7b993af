"""Interruptions and gaps: signals, killed processes, a cluster that is gone for a while."""

import os
import signal

import pytest

from flows import recover
from slipway.domain.release import State
from tests.sandbox.conftest import until
from tests.sandbox.releases.at_a_shell import output_of, start_deploy
from tests.sandbox.releases.disturbing import after_up, before_up
from tests.sandbox.releases.ends import is_live, is_restored, sound
from tests.sandbox.releases.others import api_server_frozen
from tests.sandbox.releases.real_world import ADAPTER, RealWorld
from tests.sandbox.releases.sampling import one_update_at_a_time

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("received", "times"), [(signal.SIGINT, 2), (signal.SIGTERM, 1)], ids=["ctrl-c", "ended"]
)
async def test_a_signal_during_the_update_ends_restored_even_when_it_comes_twice(
    world: RealWorld, received: signal.Signals, times: int
) -> None:
    """A terminal sends Ctrl-C to the whole group of processes, a supervisor SIGTERM to it once."""
    before = await sound(world)

    with one_update_at_a_time(world.box):
        process, reader = start_deploy(world, "never-ready")
        os.killpg(process.pid, received)
        # Two of a kind that are sent at once arrive as one.
        until(lambda: reader.has("interrupting pulumi"), "it has come")
        for _ in range(times - 1):
            os.killpg(process.pid, received)
        printed = output_of(process, reader)

    assert process.returncode == 3, printed
    await is_restored(world, await world.newest(), before)
    told = (await world.history())[0]
    assert told["state"] == "restored"
    assert told["reason"].startswith("cancelled")
    assert "Traceback" not in printed


async def test_a_good_release_whose_process_was_killed_is_live_before_the_next_begins(
    world: RealWorld,
) -> None:
    await sound(world)

    with one_update_at_a_time(world.box):
        process, reader = start_deploy(world, "good")
        os.kill(process.pid, signal.SIGKILL)
        output_of(process, reader)
        killed = (await world.newest()).release
        assert killed.state is State.RELEASING
        following = await world.deploy(world.commit())

    await is_live(world, following)
    history = {each["id"]: each for each in await world.history()}
    assert history[killed.id]["state"] == "live"
    assert history[killed.id]["reason"].endswith("by recovery")
    assert history[following.release.id]["previous_digest"] == history[killed.id]["digest"]


async def test_a_bad_release_whose_process_was_killed_is_restored_by_slipway_recover(
    world: RealWorld,
) -> None:
    before = await sound(world)

    with one_update_at_a_time(world.box):
        process, reader = start_deploy(world, "crashes")
        os.kill(process.pid, signal.SIGKILL)
        output_of(process, reader)
        code, printed, shown = await world.type("recover", ADAPTER)

    assert code == 3, shown
    assert f"at {ADAPTER}" in printed
    assert "exit code 7" in printed
    await is_restored(world, await world.newest(), before)


async def test_a_cluster_that_is_gone_during_verify_needs_attention_and_recovers_to_live(
    world: RealWorld,
) -> None:
    await sound(world)
    ports = await world.ports(ready_within=8.0, soak=5.0)

    with api_server_frozen(world.box) as freeze:

        async def gone() -> None:
            freeze()

        outcome = await world.deploy(world.commit(), after_up(ports, gone))
        config = await world.config()
    until(lambda: world.kubectl("get", "pods"), "the API server answers again")
    [recovered] = await recover.finish_all(await world.ports())

    assert (outcome.state, outcome.code) == (State.NEEDS_ATTENTION, "unproven")
    assert f"slipway recover {ADAPTER}" in outcome.release.reason
    assert config.value == outcome.release.image
    assert config.revision == outcome.release.esc_revision
    assert recovered.release.id == outcome.release.id
    await is_live(world, recovered)


async def test_a_cluster_that_is_gone_during_apply_puts_esc_back_and_is_restored_later(
    world: RealWorld,
) -> None:
    before = await sound(world)
    ports = await world.ports(ready_within=8.0)

    with api_server_frozen(world.box) as freeze:

        async def gone() -> None:
            freeze()

        outcome = await world.deploy(world.commit(), before_up(ports, gone))
        definition = world.esc.definition()
    until(lambda: world.kubectl("get", "pods"), "the API server answers again")
    [recovered] = await recover.finish_all(await world.ports())

    assert outcome.state is State.NEEDS_ATTENTION, outcome.release.reason
    assert definition == before.definition
    assert recovered.release.id == outcome.release.id
    await is_restored(world, recovered, before)

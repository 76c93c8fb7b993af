"""Runs that are cancelled, or whose process dies, while `pulumi up` is under way."""

import pytest

from tests.sandbox.prefect.processes import Watch, kill_flow
from tests.sandbox.prefect.stand import World
from tests.sandbox.prefect.ui import Run, Ui
from tests.sandbox.releases.real_world import ADAPTER

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(1800)]


def in_pulumi_up(ui: Ui, world: World, watch: Watch) -> Run:
    """A run in the middle of an update that takes its time."""
    run = ui.start(f"deploy/{ADAPTER}", commit=world.commit("never-ready").sha, why="a test")
    run.wait(lambda _: watch.updates(), "pulumi up is under way", within=600)
    return run


@pytest.mark.parametrize("times", [1, 2])
def test_a_run_cancelled_during_pulumi_up_is_restored_and_stays_cancelled(
    ui: Ui, world: World, watch: Watch, times: int
) -> None:
    before = world.stand()
    run = in_pulumi_up(ui, world, watch)

    run.cancel()
    for _ in range(times - 1):
        run.log("interrupting pulumi")  # two that are sent at once arrive as one
        run.cancel()
    run.ended()
    # Within Prefect's thirty seconds the run itself may have restored; else this does.
    world.recover()

    release = world.release_of(run.id)
    assert (release["state"], release["reason"].partition(":")[0]) == ("restored", "cancelled")
    assert world.stand() == before
    assert world.leftovers() == []
    assert run.state == ("CANCELLED", "Cancelled")
    assert watch.most_updates == 1


def test_a_run_whose_process_is_killed_during_pulumi_up_is_finished_by_the_recovery_deployment(
    ui: Ui, world: World, watch: Watch
) -> None:
    before = world.stand()
    run = in_pulumi_up(ui, world, watch)

    kill_flow(run.id)
    run.ended()
    recovery = ui.start("recover/acme:oceanid-cluster:prod").ended()

    assert run.state == ("CRASHED", "Crashed")
    assert recovery.state == ("FAILED", "Restored"), recovery.message
    assert world.release_of(run.id)["state"] == "restored"
    assert world.stand() == before
    assert world.leftovers() == []
    assert watch.most_updates == 1

"""Runs that are cancelled, or whose process dies, while `pulumi up` is under way."""

import os
import signal
import time

import pytest

from sandbox.box import Box
from sandbox.prefect_server import Prefect, start_worker
from sandbox.processes import Processes
from tests.sandbox.conftest import until
from tests.sandbox.prefect.processes import Watch, kill_flow
from tests.sandbox.prefect.stand import World
from tests.sandbox.prefect.ui import Run, Ui
from tests.sandbox.releases.real_world import ADAPTER

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(1800)]


PATIENCE = 30.0
"""Seconds that a worker is given to end when it is asked to."""
AWAY = 60.0
"""Seconds for which Prefect's server is gone."""


def in_pulumi_up(ui: Ui, world: World, watch: Watch, behaviour: str = "never-ready") -> Run:
    """A run in the middle of an update, which by default takes its time."""
    run = ui.start(f"deploy/{ADAPTER}", commit=world.commit(behaviour).sha, why="a test")
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


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM])
def test_a_release_whose_worker_is_ended_during_pulumi_up_comes_to_its_end(
    ui: Ui, world: World, watch: Watch, box: Box, blow: signal.Signals
) -> None:
    before = world.stand()
    run = in_pulumi_up(ui, world, watch, "good")

    worker = Processes(box).find("prefect-worker")
    assert worker is not None
    os.kill(worker.pid, blow)
    # As a service manager does: a worker may wait for its runs.
    patience = time.monotonic() + PATIENCE
    until(lambda: not worker.alive or time.monotonic() > patience, "it has had its time", 120)
    if worker.alive:
        os.kill(worker.pid, signal.SIGKILL)
    until(lambda: not worker.alive, "the worker is gone", within=120)
    start_worker(box)
    # What went on without its worker ends by itself; else this ends it.
    world.recover()
    run.ended()

    release = world.release_of(run.id)
    assert release["state"] in {"live", "restored"}, release["reason"]
    assert (world.stand() == before) is (release["state"] == "restored")
    assert world.leftovers() == []
    assert watch.most_updates == 1


@pytest.mark.parametrize(("behaviour", "end"), [("good", "live"), ("crashes", "restored")])
def test_a_release_ends_although_prefects_server_is_gone_for_a_minute(
    ui: Ui, world: World, watch: Watch, box: Box, behaviour: str, end: str
) -> None:
    before = world.stand()
    run = in_pulumi_up(ui, world, watch, behaviour)

    server = Processes(box).find("prefect-server")
    assert server is not None
    os.killpg(server.pid, signal.SIGKILL)
    back = time.monotonic() + AWAY
    try:
        until(lambda: world.release_of(run.id)["ended"], "it ends without Prefect", within=300)
        until(lambda: time.monotonic() > back, "the minute is over", within=2 * AWAY)
    finally:
        Prefect().start(box)
    run.ended()

    release = world.release_of(run.id)
    assert release["state"] == end, release["reason"]
    assert (world.stand() == before) is (end == "restored")
    assert world.leftovers() == []
    assert watch.most_updates == 1

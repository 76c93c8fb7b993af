"""`slipway restart` and `slipway recover`."""

import asyncio
from dataclasses import replace

from slipway.domain.release import Release
from slipway.errors import Unreachable
from tests.cli.conftest import ADAPTER, Terminal
from tests.ledger.examples import a_request


def test_a_restart_proves_the_same_digest_on_new_pods(terminal: Terminal) -> None:
    before = {pod.name for pod in terminal.world.deployment.pods}

    report = terminal.json("restart", ADAPTER)

    assert report["state"] == "live"
    assert report["reason"].startswith("proven: ")
    status = terminal.json("status", ADAPTER)
    assert status["agree"] is True
    assert not before & {pod["name"] for pod in status["pods"] if pod["ready"]}
    assert status["ledger"]["lease"] is None


def test_a_restart_leaves_config_and_stack_alone(terminal: Terminal) -> None:
    terminal.json("restart", ADAPTER)

    assert not {"config.write", "stack.up"} & set(terminal.world.faults.effects)


def test_a_restart_that_can_not_be_measured_needs_attention(terminal: Terminal) -> None:
    faults = terminal.world.faults
    faults.before(
        "cluster.restart", lambda: faults.always("cluster.observe", Unreachable("no route"))
    )

    reason = terminal.json("restart", ADAPTER, code=5)["reason"]
    assert reason.startswith("unproven: ")
    assert f"slipway status {ADAPTER}" in reason
    assert "recover" not in reason


def test_a_restart_of_nothing_is_refused(terminal: Terminal) -> None:
    terminal.world.cluster.deployments.clear()

    report = terminal.json("restart", ADAPTER, code=4)

    assert report["state"] == "refused"
    assert "there is no Deployment" in report["reason"]


def test_a_restart_of_pods_with_two_images_is_refused_as_none_could_be_proven(
    terminal: Terminal,
) -> None:
    world = terminal.world
    image = world.publish("second")
    other = replace(world.deployment.pods[0], name="other", image=image)
    world.deployment.replicas = 2
    world.deployment.pods.append(other)

    reason = terminal.json("restart", ADAPTER, code=4)["reason"]

    assert "run 2 images" in reason
    assert f"slipway status {ADAPTER}" in reason


def test_a_release_that_could_not_be_measured_is_recovered_forward(terminal: Terminal) -> None:
    faults = terminal.world.faults
    gone = Unreachable("no route to the cluster")
    faults.after("stack.up", lambda: faults.always("cluster.observe", gone))
    terminal.deploy("second", code=5)
    assert terminal.json("recover", code=5)[0]["state"] == "needs attention"

    faults.always("cluster.observe", None)
    [recovered] = terminal.json("recover")

    assert (recovered["state"], recovered["unproven"]) == ("live", False)
    assert terminal.json("history", ADAPTER)[0] == recovered


def test_a_restore_that_failed_is_finished_with_code_3(terminal: Terminal) -> None:
    faults = terminal.world.faults
    faults.after(
        "stack.up", lambda: faults.always("config.write", Unreachable("ESC does not answer"))
    )
    terminal.deploy("crashing", code=5)

    faults.always("config.write", None)
    [recovered] = terminal.json("recover", ADAPTER, code=3)

    assert recovered["state"] == "restored"
    assert terminal.json("status", ADAPTER)["agree"] is True


def test_nothing_open_is_nothing_to_recover(terminal: Terminal) -> None:
    assert terminal.type("recover").stdout == "nothing stands open\n"
    assert terminal.json("recover", ADAPTER) == []


def a_release_elsewhere(terminal: Terminal) -> Release:
    """Open, and nobody here can tell whether its process lives."""
    return asyncio.run(terminal.world.ledger.open(terminal.world.target, a_request()))


def test_a_release_of_a_machine_that_is_gone_is_ended_by_who_says_so(terminal: Terminal) -> None:
    release = a_release_elsewhere(terminal)
    assert terminal.json("recover") == []

    [ended] = terminal.json("recover", ADAPTER, "--dead", release.id, code=4)

    assert (ended["id"], ended["state"]) == (release.id, "refused")
    assert "its process ended before it had changed anything" in ended["reason"]
    assert terminal.json("recover") == []


def test_who_calls_a_release_dead_that_does_not_stand_open_is_told_which_do(
    terminal: Terminal,
) -> None:
    none = terminal.type("recover", "--dead", "0123456789ab")
    release = a_release_elsewhere(terminal)
    another = terminal.type("recover", "--dead", "0123456789ab")

    assert none.exit_code == another.exit_code == 2
    assert "no release 0123456789ab stands open at" in none.stderr
    assert f"name one that does ({release.id})" in another.stderr
    assert terminal.json("recover", ADAPTER, "--dead", release.id, code=4)

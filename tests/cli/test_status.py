"""`slipway status`: every place side by side, and whether they agree."""

import pytest

from slipway.errors import Unreachable
from tests.cli.conftest import ADAPTER, SINK, Terminal
from tests.fakes.world import reference_of

PLACES = ("git", "registry", "config", "stack", "deployment", "pods")


def test_what_was_deployed_by_hand_agrees(terminal: Terminal) -> None:
    status = terminal.json("status", ADAPTER)

    assert status["agree"] is True
    assert status["disagreements"] == []
    assert status["unknown"] == {}
    assert all(status[place] for place in PLACES)


def test_after_a_deploy_every_place_has_the_new_image(terminal: Terminal) -> None:
    terminal.deploy("second")
    wanted = reference_of(terminal.world, "second")
    digest = str(terminal.world.digest_of("second"))

    status = terminal.json("status", ADAPTER)

    assert status["agree"] is True
    assert status["config"]["value"] == wanted
    assert status["stack"]["image"] == wanted
    assert status["deployment"]["image"] == wanted
    assert status["registry"]["pinned"]["digest"] == digest
    assert [pod["digest"] for pod in status["pods"] if pod["ready"]] == [digest]
    assert status["git"]["commit"] == terminal.world.git.branches["main"]
    assert status["ledger"]["live"]["digest"] == digest


@pytest.mark.parametrize(
    ("effect", "places"),
    [
        ("source.fetch", {"git"}),
        ("registry.find", {"registry"}),
        ("config.read", {"config"}),
        ("stack.state", {"stack"}),
        ("cluster.observe", {"deployment", "pods"}),
    ],
)
def test_a_place_that_does_not_answer_is_unknown_and_hides_no_other(
    terminal: Terminal, effect: str, places: set[str]
) -> None:
    terminal.world.faults.always(effect, Unreachable("no route to host"))

    status = terminal.json("status", ADAPTER)

    assert status["unknown"] == dict.fromkeys(places, "no route to host")
    assert all((status[place] is None) == (place in places) for place in PLACES)
    assert status["agree"] is (effect == "source.fetch")


def test_a_deployment_that_is_missing_is_not_unknown(terminal: Terminal) -> None:
    world = terminal.world
    world.cluster.deployments.pop(("apps", world.deployment.name))

    status = terminal.json("status", ADAPTER)

    assert status["deployment"]["exists"] is False
    assert status["pods"] == []
    assert "deployment" not in status["unknown"]
    assert status["agree"] is False


def test_a_value_that_nobody_applied_is_told(terminal: Terminal) -> None:
    world = terminal.world
    world.publish("second")
    world.config.edit("bob", adapterImage=f"{world.target.service.repository}:main")

    result = terminal.type("status", ADAPTER)

    assert "does not agree" in result.stdout
    assert "nobody has applied the ESC value" in result.stdout


def test_an_image_set_with_kubectl_is_told(terminal: Terminal) -> None:
    world = terminal.world
    world.publish("second")
    other = f"{world.target.service.repository}:{world.commits['second']}"
    terminal.session.run(_kubectl_set_image(terminal, other))

    status = terminal.json("status", ADAPTER)

    assert status["agree"] is False
    assert any("somebody changed one without the other" in each for each in status["disagreements"])


async def _kubectl_set_image(terminal: Terminal, image: str) -> None:
    terminal.world.cluster.set_image(terminal.world.deployment, image, manager="kubectl-set")


def test_without_a_target_all_are_shown_side_by_side(terminal: Terminal) -> None:
    shown = terminal.type("status").stdout
    records = terminal.json("status")

    assert f"{ADAPTER} agrees" in shown
    assert f"{SINK} agrees" in shown
    assert [each["target"] for each in records] == [ADAPTER, SINK]


def test_people_see_what_every_place_says(terminal: Terminal) -> None:
    terminal.deploy("second")

    shown = terminal.type("status", ADAPTER).stdout

    for place in ("git", "registry", "ESC", "stack", "deployment", "pods", "ledger"):
        assert f"\n  {place}" in shown
    assert f"{terminal.world.commits['second'].short} live since" in shown

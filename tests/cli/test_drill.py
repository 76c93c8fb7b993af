"""`slipway drill`: what people and scripts read, and how it ends."""

from tests.cli.conftest import ADAPTER, SINK, Terminal


def test_scripts_read_where_it_would_go_and_how_long_it_would_take(terminal: Terminal) -> None:
    terminal.deploy("second")
    terminal.deploy("third")

    [found] = terminal.json("drill", ADAPTER)

    assert (found["target"], found["result"]) == (ADAPTER, "would work")
    assert found["to"] == terminal.world.commits["second"].sha
    assert found["expected_seconds"] > 0
    assert found["updates_measured"] == 2
    steps = [each["name"] for each in found["steps"]]
    assert steps == ["choose the way back", "pull with the pull secret", "preview"]


def test_a_rollback_that_would_not_work_ends_with_five_and_says_why(terminal: Terminal) -> None:
    terminal.deploy("second")
    first = terminal.world.digest_of("first")
    assert first is not None
    terminal.world.registry.delete(terminal.world.target.service.repository, first)

    result = terminal.type("drill")

    assert result.exit_code == 5
    assert "no-candidate: " in result.stdout


def test_a_target_that_has_nothing_to_go_back_to_yet_ends_well_and_says_so(
    terminal: Terminal,
) -> None:
    terminal.deploy("second")

    result = terminal.type("drill")

    assert result.exit_code == 0
    assert SINK in result.stdout
    assert "nothing to go back to yet" in result.stdout


def test_what_can_not_be_told_ends_well_and_says_why(terminal: Terminal) -> None:
    terminal.deploy("second")
    terminal.deploy("third")
    terminal.world.deployment.pull_secrets = ()
    terminal.world.cluster.nodes_have_credentials = True

    result = terminal.type("drill", ADAPTER)

    assert result.exit_code == 0
    assert "can't be told" in result.stdout
    assert "registries.yaml" in result.stdout


def test_a_target_is_never_really_rolled_back_unless_it_says_so(terminal: Terminal) -> None:
    terminal.deploy("second")
    before = terminal.world.deployment.image

    result = terminal.type("drill", ADAPTER, "--full")

    assert result.exit_code == 2
    assert "full_drill" in result.output
    assert terminal.world.deployment.image == before


def test_a_full_drill_tells_how_long_the_rollback_took(terminal: Terminal) -> None:
    terminal.deploy("second")
    terminal.deploy("third")
    terminal.world.change_target(full_drill=True)

    [told] = terminal.json("drill", ADAPTER, "--full")

    assert told["result"] == "would work"
    assert told["measured_seconds"] == told["expected_seconds"] > 0

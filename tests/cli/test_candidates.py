"""`slipway candidates`: what people and scripts read of the ways back."""

from tests.cli.conftest import ADAPTER, Terminal

KEYS = {
    "commit",
    "subject",
    "committed_at",
    "behind",
    "digest",
    "states",
    "live_until",
    "default",
    "allowed",
    "refusal",
}


def test_scripts_read_every_candidate_and_the_default(terminal: Terminal) -> None:
    terminal.deploy("second")
    terminal.deploy("third")
    commits = terminal.world.commits

    found = terminal.json("candidates", ADAPTER)

    assert (found["target"], found["default"]) == (ADAPTER, commits["second"].sha)
    assert (found["no_default"], found["left_out"]) == (None, 0)
    third, second, first = found["candidates"]
    assert all(set(each) == KEYS for each in found["candidates"])
    assert (third["states"], third["allowed"]) == (["live"], False)
    assert "already" in third["refusal"]
    assert (second["states"], second["allowed"], second["default"]) == (["was live"], True, True)
    assert first["states"] == ["was live", "adopted"]


def test_people_see_the_default_marked_and_why_a_rollback_is_refused(terminal: Terminal) -> None:
    terminal.deploy("second")
    commits = terminal.world.commits

    shown = terminal.type("candidates", ADAPTER).stdout.splitlines()

    [second, first] = [
        each for each in shown if commits["second"].short in each or commits["first"].short in each
    ]
    assert "refused:" in second
    assert first.startswith("→")
    assert "allowed" in first


def test_a_target_without_a_way_back_says_why(terminal: Terminal) -> None:
    assert "no default: " in terminal.type("candidates", ADAPTER).stdout

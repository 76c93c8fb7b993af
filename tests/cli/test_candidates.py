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
        each
        for each in shown
        if (commits["second"].short in each or commits["first"].short in each)
        and not each.startswith("previewed")
    ]
    assert "refused:" in second
    assert first.startswith("→")
    assert "allowed" in first


def test_a_change_beside_the_image_is_told_of_each_and_once_with_its_remedy(
    terminal: Terminal,
) -> None:
    terminal.deploy("second")
    sink = "ghcr.io/acme/shop/annotations-sink:main"
    terminal.world.config.edit("bob", sinkImage=sink)

    found = terminal.json("candidates", ADAPTER)
    shown = terminal.type("candidates", ADAPTER).stdout

    _, first = found["candidates"]
    assert first["states"][0] == "preview changes more"
    assert (first["allowed"], first["refusal"]) == (False, found["not_now"])
    assert found["previewed"] == found["default"] == first["commit"]
    assert found["not_now"].startswith("not-image-only: ")
    assert "refused now, as any would be" in shown
    [line] = [each for each in shown.splitlines() if each.startswith("no rollback can start now")]
    assert "revision 4 by bob" in line


def test_without_a_preview_people_and_scripts_are_told_so(terminal: Terminal) -> None:
    terminal.deploy("second")

    found = terminal.json("candidates", ADAPTER, "--no-preview")
    shown = terminal.type("candidates", ADAPTER, "--no-preview").stdout

    assert (found["previewed"], found["not_now"], found["waits_for"]) == (None, None, None)
    assert "allowed, not previewed" in shown
    assert "not previewed: " in shown
    assert "not previewed" not in terminal.type("candidates", ADAPTER).stdout


def test_with_whose_image_was_previewed_is_said_and_how_to_see_what_was_left_out(
    terminal: Terminal,
) -> None:
    for name in ("second", "third"):
        terminal.deploy(name)
    second = terminal.world.commits["second"]

    some = terminal.type("candidates", ADAPTER, "--limit", "2").stdout
    every = terminal.type("candidates", ADAPTER, "--limit", "3").stdout

    assert f"previewed once for all, with the image of {second.short}: " in some
    asked = f"slipway candidates {ADAPTER} --limit 3"
    assert f"1 older ones were not looked up: {asked} lists them too" in some
    assert "not looked up" not in every


def test_a_target_without_a_way_back_says_why(terminal: Terminal) -> None:
    assert "no default: " in terminal.type("candidates", ADAPTER).stdout

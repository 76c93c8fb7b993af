"""`slipway doctor`: each check with its remedy; nothing is changed."""

from slipway.errors import Unreachable
from tests.cli.conftest import ADAPTER, Terminal
from tests.fakes.world import HOST

EFFECTS_THAT_CHANGE = {"config.write", "stack.up", "stack.refresh", "cluster.restart"}


def failing(terminal: Terminal) -> dict[str, str]:
    report = terminal.json("doctor", ADAPTER, code=4)
    assert report["good"] is False
    return {each["name"]: each["problem"] for each in report["checks"] if not each["good"]}


def test_a_target_in_order_is_good_and_nothing_was_changed(terminal: Terminal) -> None:
    report = terminal.json("doctor", ADAPTER)

    assert report["good"] is True
    assert all(each["good"] for each in report["checks"])
    assert not EFFECTS_THAT_CHANGE & set(terminal.world.faults.effects)


def test_a_pull_secret_that_is_missing_is_told_with_its_remedy(terminal: Terminal) -> None:
    del terminal.world.cluster.secrets["ghcr-creds"]

    problems = failing(terminal)

    assert list(problems) == ["the pull secret can pull"]
    assert "ghcr-creds" in problems["the pull secret can pull"]
    assert "pulumi up" in problems["the pull secret can pull"]


def test_a_pull_secret_that_is_rejected_is_told(terminal: Terminal) -> None:
    terminal.world.cluster.add_secret("ghcr-creds", HOST, "puller", "revoked")

    assert "renew the token" in failing(terminal)["the pull secret can pull"]


def test_pods_that_did_not_take_up_the_image_lead_to_restart_and_history(
    terminal: Terminal,
) -> None:
    world = terminal.world
    world.publish("second")
    value = f"{world.target.service.repository}:{world.commits['second']}"
    world.config.edit("bob", adapterImage=value)

    problem = failing(terminal)["one image is pinned, applied and running"]

    assert f"slipway restart {ADAPTER}" in problem
    assert f"slipway history {ADAPTER}" in problem


def test_git_that_does_not_answer_hides_no_other_check(terminal: Terminal) -> None:
    terminal.world.faults.always("source.fetch", Unreachable("no route to git"))

    report = terminal.json("doctor", ADAPTER, code=4)

    assert [each["problem"] for each in report["checks"] if not each["good"]] == ["no route to git"]
    assert len(report["checks"]) >= 8


def test_a_shadowed_key_is_found_with_the_program_of_the_head(terminal: Terminal) -> None:
    key = terminal.world.target.config_key.key
    terminal.world.stack.shadows[key] = "ghcr.io/acme/shop/adapter:pinned"

    problems = failing(terminal)

    assert "the stack file wins over ESC" in problems["the stack file leaves the key to ESC"]


def test_people_see_a_line_a_check_and_the_problem_below(terminal: Terminal) -> None:
    del terminal.world.cluster.secrets["ghcr-creds"]

    shown = terminal.type("doctor", ADAPTER).stdout

    assert "  ok    Kubernetes answers" in shown
    assert "  FAIL  the pull secret can pull\n        pull secret apps/ghcr-creds" in shown

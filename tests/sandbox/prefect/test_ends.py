"""Releases started in Prefect's UI: what their runs are called, say, show, and end as."""

import re

import pytest

from tests.sandbox.prefect.conftest import deploy
from tests.sandbox.prefect.stand import World
from tests.sandbox.prefect.ui import Run, Ui
from tests.sandbox.releases.real_world import ADAPTER

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(1800)]

IN_ORDER = [
    "resolve the commit",
    "look for the image",
    "build the image",
    "push the image",
    "wait in line for the stack's lease",
    "pin the image in ESC",
    "apply with pulumi up",
    "verify what runs",
    "move :main",
]


def rows(markdown: str) -> dict[str, str]:
    """A report's tables: first cell → second."""
    found = re.findall(r"^\| (.+?) \| (.+?) \|", markdown, re.MULTILINE)
    return {name: value.strip("`") for name, value in found}


def test_a_good_commit_ends_live_under_a_name_for_people(live: Run, world: World) -> None:
    release = world.release_of(live.id)

    assert live.state == ("COMPLETED", "Live"), live.message
    assert live.message.startswith("proven: ")
    assert live.read()["name"] == f"deploy {release['commit'][:7]} to {ADAPTER}"
    assert release["state"] == "live"


def test_each_step_is_a_task_run_in_the_order_of_a_release(live: Run) -> None:
    steps = live.steps()

    assert [each for each in steps if each in IN_ORDER] == IN_ORDER
    assert steps.count("apply with pulumi up") == 1


def test_the_runs_log_has_the_librarys_lines(live: Run) -> None:
    release = live.log("is live: ")

    told = [each["message"] for each in release if each["name"].startswith("slipway")]
    assert any(line.startswith("pushed ") for line in told)
    assert {each["level"] for each in release if each["message"] in told} == {20}


def test_the_report_says_what_before_and_after_how_proven_and_how_long(
    live: Run, world: World
) -> None:
    release = world.release_of(live.id)

    table = rows(live.report(f"release-{ADAPTER}"))

    assert table["commit"] == release["commit"]
    assert table["before"] == release["previous_digest"]
    assert table["after"] == release["digest"]
    before, after = re.findall(r"\d+", table["ESC revision"])
    assert (int(after), int(after) - int(before)) == (release["esc_revision"], 1)
    assert int(table["Pulumi update"]) > 1
    assert any(name.startswith("ls-triton-adapter-") for name in table)
    assert float(table["applied"].removesuffix(" s")) > 0


def test_the_progress_bar_is_full_at_the_end(live: Run) -> None:
    [bar] = live.artifacts("progress")

    assert bar["data"] == 100.0
    assert bar["description"] == f"{ADAPTER}: live"


def test_deploying_what_runs_completes_as_unchanged(ui: Ui, world: World, live: Run) -> None:
    commit = world.release_of(live.id)["commit"]
    before = world.stand()

    again = ui.start(f"deploy/{ADAPTER}", commit=commit, why="a test").ended()

    assert again.state == ("COMPLETED", "Unchanged"), again.message
    assert world.stand() == before


def test_a_commit_that_crashes_ends_restored_with_the_evidence(restored: Run, live: Run) -> None:
    assert restored.state == ("FAILED", "Restored"), restored.message
    assert restored.message.startswith("disproven: ")
    evidence = restored.report(f"failure-{ADAPTER}")
    assert re.search(r"ls-triton-adapter-\S+: Running; adapter .*restarts", evidence)
    assert "models.json: no such file or directory" in evidence
    assert "Back-off restarting failed container" in evidence
    assert live.steps()
    assert "apply the baseline" in restored.steps()


def test_a_commit_that_does_not_compile_ends_refused_with_the_builds_log(refused: Run) -> None:
    assert refused.state == ("FAILED", "Refused"), refused.message
    assert refused.message.startswith("build-failed: ")
    refused.log("syntax error")
    assert "pin the image in ESC" not in refused.steps()


def test_a_rollback_ends_live(ui: Ui, world: World, live: Run) -> None:
    assert live.state[1] == "Live"
    [_, before] = world.stand()
    assert deploy(ui, world, "good").state == ("COMPLETED", "Live")
    assert world.stand()[1] != before

    run = ui.start(f"rollback/{ADAPTER}", why="it is slow").ended()

    assert run.state == ("COMPLETED", "Live"), run.message
    assert run.read()["name"] == f"roll back {ADAPTER} to previous"
    assert world.stand()[1] == before


def test_a_run_retried_after_its_end_refuses_and_says_start_a_new_run(ui: Ui, world: World) -> None:
    run = ui.start(f"deploy/{ADAPTER}", commit="0" * 40).ended()
    assert run.message.startswith("unknown-commit: ")

    run.retry()
    run.ended(runs=2)

    assert run.state == ("FAILED", "Refused")
    assert "start a new run" in run.message
    assert world.release_of(run.id)["reason"].startswith("unknown-commit: ")


@pytest.mark.parametrize("typed", ["main", "abc123", "A" * 40, "0" * 41, ""])
def test_the_form_refuses_what_is_no_commit(ui: Ui, typed: str) -> None:
    [complaint] = ui.complaints(f"deploy/{ADAPTER}", commit=typed)

    assert complaint["property"] == "commit"
    answer = ui.submit(f"deploy/{ADAPTER}", commit=typed)
    assert answer.status_code == 409
    assert "'commit'" in answer.json()["detail"]


def test_a_mistyped_parameter_is_refused_by_its_name(ui: Ui) -> None:
    answer = ui.submit(f"deploy/{ADAPTER}", commit="0" * 40, comit="main")

    assert answer.status_code == 409
    assert "'comit' was unexpected" in answer.json()["detail"]


def test_a_target_that_nobody_registered_is_refused_with_the_remedy(ui: Ui) -> None:
    run = ui.start(f"deploy/{ADAPTER}", commit="0" * 40, target="nowhere").ended()

    assert run.state == ("FAILED", "Refused")
    assert (
        f"'nowhere' is registered; registered are: annotations-sink-prod, {ADAPTER}" in run.message
    )
    assert "slipway register" in run.message


def test_the_form_asks_for_nothing_but_the_commit(ui: Ui) -> None:
    [complaint] = ui.complaints(f"deploy/{ADAPTER}")

    assert complaint["property"] == "commit"


def test_a_rollback_without_a_reason_is_refused_by_the_form(ui: Ui) -> None:
    [complaint] = ui.complaints(f"rollback/{ADAPTER}", why="")

    assert complaint["property"] == "why"

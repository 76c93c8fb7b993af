"""What GitHub is told of each state of a release, and of deliveries that started none."""

from dataclasses import replace

import pytest

from slipway.domain.delivery import Ending, Outcome
from slipway.domain.release import Phase, State
from slipway.domain.write_back import (
    LONGEST,
    commit_status,
    delivery_status,
    deployment_status,
    short,
)
from tests.ledger.examples import a_release


@pytest.mark.parametrize(
    ("state", "reason", "commit", "deployment"),
    [
        (State.RELEASING, "", "pending", "queued"),
        (State.RESTORING, "disproven: it crashes", "pending", "in_progress"),
        (State.LIVE, "proven: 2 pods", "success", "success"),
        (State.LIVE, "unchanged: it runs already", "success", "success"),
        (State.RESTORED, "disproven: it crashes", "failure", "failure"),
        (State.REFUSED, "build-failed: exit code 1", "failure", "failure"),
        (State.REFUSED, "superseded: by a newer one", "success", "inactive"),
        (State.REFUSED, "held: it is Friday", "pending", "inactive"),
        (State.NEEDS_ATTENTION, "unproven: no answer", "error", "error"),
    ],
)
def test_each_state_is_told_as_what_it_is(
    state: State, reason: str, commit: str, deployment: str
) -> None:
    release = replace(a_release(), state=state, reason=reason)

    assert commit_status(release).state == commit
    assert deployment_status(release).state == deployment
    if reason:
        assert commit_status(release).description == f"{state}: {reason}"


def test_a_deployment_is_in_progress_once_it_has_the_stack() -> None:
    release = a_release().at(Phase.DECIDED)

    assert deployment_status(release).state == "in_progress"


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (Ending(Outcome.SUPERSEDED, "superseded: by a newer one"), "success"),
        (Ending(Outcome.UNCHANGED, "unchanged: README.md"), "success"),
        (Ending(Outcome.HELD, "history-rewritten: it was moved"), "pending"),
        (Ending(Outcome.REFUSED, "folder-absent: it is gone"), "failure"),
        (Ending(Outcome.STARTED, "started: deploy", "run-1"), None),
        (Ending(Outcome.SUPERSEDED, "superseded: run run-1 was started", "run-1"), None),
        (Ending(Outcome.IGNORED, "not for this target"), None),
    ],
)
def test_a_delivery_is_told_of_where_no_run_does_it(ending: Ending, told: str | None) -> None:
    status = delivery_status("web-prod", ending)

    assert (status.state if status else None) == told
    assert status is None or ending.reason in status.description


def test_a_description_is_one_line_without_credentials_and_not_too_long() -> None:
    text = short(f"push failed:\n  password=hunter2 at\thttps://ada:hunter2@r.io {'x' * 200}")

    assert len(text) == LONGEST
    assert "\n" not in text
    assert "hunter2" not in text

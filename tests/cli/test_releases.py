"""`slipway deploy` and `slipway rollback` with --local: ends, exit codes, records."""

import json

import pytest

from slipway.errors import Unreachable
from tests.cli.conftest import ADAPTER, Terminal

CONTRACT = {
    "id",
    "kind",
    "commit",
    "digest",
    "state",
    "reason",
    "requested_by",
    "started",
    "ended",
    "duration_seconds",
    "prefect_run",
    "previous_digest",
    "esc_revision",
}


def test_a_good_commit_ends_live_with_code_0(terminal: Terminal) -> None:
    release = terminal.deploy("second")

    assert release["state"] == "live"
    assert release["commit"] == terminal.world.commits["second"].sha
    assert release["digest"] == str(terminal.world.digest_of("second"))
    assert set(release) >= CONTRACT


def test_a_commit_that_crashes_is_restored_with_code_3(terminal: Terminal) -> None:
    release = terminal.deploy("crashing", code=3)

    assert release["state"] == "restored"
    assert release["reason"].startswith("disproven: ")


def test_a_commit_that_does_not_compile_is_refused_with_code_4(terminal: Terminal) -> None:
    assert terminal.deploy("broken", code=4)["reason"].startswith("build-failed: ")


def test_what_could_not_be_proven_needs_attention_with_code_5(terminal: Terminal) -> None:
    world = terminal.world
    world.faults.after(
        "stack.up", lambda: world.faults.always("cluster.observe", Unreachable("no route"))
    )

    result = terminal.type("deploy", ADAPTER, world.commits["second"].sha, "--local")

    assert result.exit_code == 5, result.output
    assert f"slipway recover {ADAPTER}" in result.stdout


def test_what_runs_already_ends_with_code_0(terminal: Terminal) -> None:
    terminal.deploy("second")

    assert terminal.deploy("second")["reason"].startswith("unchanged: ")


def test_the_end_is_told_in_a_line_and_the_progress_beside_it(terminal: Terminal) -> None:
    commit = terminal.world.commits["second"]

    result = terminal.type("deploy", ADAPTER, commit.short, "--local", "--reason", "it is better")

    assert f"live: deploy {commit.short} at {ADAPTER}" in result.stdout
    assert result.stderr.count(f"commit {commit}: ") == 1
    assert f"commit {commit}:" not in result.stdout


def test_what_was_seen_beside_a_release_is_told_too(terminal: Terminal) -> None:
    nobody_applied = "ghcr.io/acme/shop/ls-triton-adapter:main"
    terminal.world.config.edit("bob", adapterImage=nobody_applied)

    result = terminal.type("deploy", ADAPTER, terminal.world.commits["second"].sha, "--local")

    assert f"{nobody_applied!r}, which nothing had applied" in result.stdout


def test_a_rollback_goes_to_previous_and_needs_a_reason(terminal: Terminal) -> None:
    terminal.deploy("second")
    terminal.deploy("third")

    assert terminal.type("rollback", ADAPTER, "--local").exit_code == 2
    back = terminal.json("rollback", ADAPTER, "--reason", "it is slow", "--local")

    assert (back["kind"], back["state"], back["why"]) == ("rollback", "live", "it is slow")
    assert back["digest"] == str(terminal.world.digest_of("second"))


def test_a_rollback_to_a_commit_without_an_image_is_refused(terminal: Terminal) -> None:
    to = terminal.world.commits["third"].sha

    result = terminal.type("rollback", ADAPTER, "--to", to, "--reason", "try", "--local")

    assert result.exit_code == 4


@pytest.mark.parametrize("allowed", ["nonsense", "urn:x"])
def test_an_allowance_that_is_none_is_a_usage_error(terminal: Terminal, allowed: str) -> None:
    commit = terminal.world.commits["second"].sha

    result = terminal.type("deploy", ADAPTER, commit, "--local", "--allow-change", allowed)

    assert result.exit_code == 2
    assert "URN" in result.stderr
    assert terminal.json("history", ADAPTER) == []


def test_a_target_that_is_not_there_is_a_usage_error(terminal: Terminal) -> None:
    result = terminal.type("deploy", "nowhere", "1234567", "--local")

    assert result.exit_code == 2
    assert "nowhere" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "words", [("deploy", ADAPTER, "main"), ("rollback", ADAPTER, "--to", "v1", "--reason", "slow")]
)
def test_what_is_no_commit_is_refused_before_a_run_is_started(
    terminal: Terminal, words: tuple[str, ...]
) -> None:
    result = terminal.type(*words, "--json")

    assert result.exit_code == 4, result.output
    told = json.loads(result.stdout)
    assert (told["id"], told["state"]) == (None, "refused")
    assert told["reason"].startswith("invalid-input: ")
    assert f"{words[-1] if words[0] == 'deploy' else 'v1'!r}" in told["reason"]

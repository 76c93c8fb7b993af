"""What `python -m sandbox env` prints is all that a person's shell needs."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import example
from sandbox.box import Box
from tests.sandbox.prefect.stand import World
from tests.sandbox.prefect.ui import Run
from tests.sandbox.releases.real_world import ADAPTER

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(1800)]

HOME = {name: os.environ[name] for name in ("HOME", "XDG_CACHE_HOME") if name in os.environ}
PLACES = {"git", "registry", "config", "stack", "deployment", "pods", "agree"}


def typed(box: Box, command: str) -> "subprocess.CompletedProcess[str]":
    """A command in a shell that has nothing but a home, and that output."""
    python = shlex.quote(sys.executable)
    setting = f'eval "$({python} -m sandbox --state {shlex.quote(str(box.root))} env)"'
    return subprocess.run(
        ["/bin/bash", "-c", f"set -eu; {setting}; {command}"],
        env={**HOME, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("kubectl --namespace apps get pods", "ls-triton-adapter-"),
        (f"pulumi stack export --stack {example.STACK}", "ls-triton-adapter"),
        ("COLUMNS=200 prefect --no-prompt deployment ls", "rollback/annotations-sink-prod"),
        ("docker image ls", "example-base"),
        (f"slipway history {ADAPTER} --json", '"esc_revision"'),
    ],
)
def test_each_tool_works_in_such_a_shell(live: Run, box: Box, command: str, shown: str) -> None:
    assert live.state == ("COMPLETED", "Live")
    done = typed(box, command)

    assert done.returncode == 0, done.stderr
    assert shown in done.stdout


def test_status_and_doctor_see_the_real_parts_from_such_a_shell(live: Run, box: Box) -> None:
    assert live.state == ("COMPLETED", "Live")
    status = json.loads(typed(box, f"slipway status {ADAPTER} --json").stdout)
    doctor = json.loads(typed(box, f"slipway doctor {ADAPTER} --json").stdout)

    assert set(status) >= PLACES
    assert status["deployment"]
    assert status["agree"] is True, status
    names = {each["name"]: each["good"] for each in doctor["checks"]}
    assert doctor["good"] is True, doctor
    assert names["Kubernetes answers"]
    assert names["the registry answers"]
    assert names["Docker answers"]
    assert names["the account may push"]


def test_a_deploy_typed_there_is_followed_through_the_worker_to_its_end(
    live: Run, world: World, box: Box
) -> None:
    assert live.state == ("COMPLETED", "Live")
    commit = world.commit()

    good = typed(box, f"slipway deploy {ADAPTER} {commit.short}")
    bad = typed(box, f"slipway deploy {ADAPTER} {world.commit('crashes').short}")

    assert good.returncode == 0, good.stderr
    assert "is live: proven" in good.stdout + good.stderr
    assert bad.returncode == 3, bad.stderr
    assert "restored" in bad.stdout + bad.stderr
    assert commit.sha in world.stand()[0]


def test_a_restart_typed_there_proves_new_pods_of_the_same_digest(
    live: Run, world: World, box: Box
) -> None:
    assert live.state == ("COMPLETED", "Live")
    value, digests = world.stand()
    before = pods(world)

    done = typed(box, f"slipway restart {ADAPTER}")

    assert done.returncode == 0, done.stderr
    assert world.stand() == (value, digests)
    assert not before & pods(world)
    assert world.leftovers() == []


def pods(world: World) -> set[str]:
    """The adapter's pods that are not on their way out."""
    listed = json.loads(world.kubectl("get", "pods", "-l", "app=ls-triton-adapter", "-ojson"))
    return {
        each["metadata"]["name"]
        for each in listed["items"]
        if "deletionTimestamp" not in each["metadata"]
    }

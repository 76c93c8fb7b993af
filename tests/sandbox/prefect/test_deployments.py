"""The deployments of prefect.yaml, and of the wheel, do on a real server what register's do."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import prefect_server
from sandbox.box import Box
from tests.sandbox.prefect.stand import World
from tests.sandbox.prefect.ui import Ui
from tests.sandbox.releases.real_world import ADAPTER
from tests.wheel import ROOT, unpack_wheel

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(1800)]

ASIDE = {"id", "created", "updated", "version", "version_id", "last_polled", "status", "created_by"}
"""What two deployments of one meaning may differ in."""


def meaning(deployment: dict[str, Any]) -> dict[str, Any]:
    """What a person or a worker can tell of a deployment."""
    ours = {key: value for key, value in deployment.items() if key not in ASIDE}
    # `prefect deploy` can't say that a form has no other fields.
    ours["schedules"] = [
        {key: each[key] for key in ("active", "schedule")} for each in ours["schedules"]
    ]
    # Each file names repositories of its own registry.
    if repository := ours["parameters"].get("repository"):
        here = repository.rpartition("/")[2]
        ours["parameters"] = {**ours["parameters"], "repository": here}
        ours["description"] = ours["description"].replace(repository, here)
        ours["name"] = here
    said = {key: value for key, value in ours["parameter_openapi_schema"].items() if value}
    form = {**said, "additionalProperties": False}
    return {key: value or None for key, value in ours.items()} | {"parameter_openapi_schema": form}


def is_of_the_file(name: str) -> bool:
    """Whether prefect.yaml has it: what prunes a repository is named by it."""
    return not name.startswith("prune/") or "ghcr.io" in name


def twin_of(name: str) -> str:
    """What it is called whatever registry the repository is of."""
    kind, _, of = name.partition("/")
    return f"{kind}/{of.rpartition(':')[2]}" if kind == "prune" else name


@pytest.fixture
def registered(ui: Ui, box: Box) -> Iterator[dict[str, Any]]:
    """What `slipway register` has made, and makes again for the tests that follow."""
    yield ui.deployments()
    prefect_server.register(box)


def test_prefect_deploy_makes_what_register_has_made_and_a_worker_runs_it(
    ui: Ui, box: Box, registered: dict[str, Any]
) -> None:

    subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=ROOT,
        env={**os.environ, **prefect_server.settings(box)},
        check=True,
        capture_output=True,
        timeout=400,
    )

    deployed = ui.deployments()
    twins = {twin_of(name): deployed[name] for name in deployed if is_of_the_file(name)}
    assert set(twins) == {twin_of(name) for name in registered}
    for name, made in registered.items():
        deployment = twins[twin_of(name)]
        assert deployment["updated"] > made["updated"], f"{name} was not deployed"
        assert meaning(deployment) == meaning(made)
    run = ui.start("recover/acme:oceanid-cluster:prod").ended()
    assert run.state == ("COMPLETED", "Nothing"), run.message


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files in a folder of their own."""
    return unpack_wheel(tmp_path_factory.mktemp("wheel"))


FROM_THE_WHEEL = f"""\
import sys
from pathlib import Path
import blocks, flows, slipway
from slipway.cli.main import main
for package in (blocks, flows, slipway):
    assert Path(package.__file__).is_relative_to(sys.argv[1]), package.__file__
assert {str(ROOT)!r} not in {{str(Path(each).resolve()) for each in sys.path}}, sys.path
sys.argv[1:2] = []
main()
"""


def test_the_wheel_alone_deploys(wheel: Path, world: World, tmp_path: Path) -> None:
    commit = world.commit()
    libraries = sysconfig.get_path("purelib")

    done = subprocess.run(
        # Without `site`, whose files would put this checkout on the path.
        [
            sys.executable,
            "-S",
            "-c",
            FROM_THE_WHEEL,
            wheel,
            "deploy",
            ADAPTER,
            commit.sha,
            "--local",
        ],
        cwd=tmp_path,
        env={**world.environment, "PYTHONPATH": f"{wheel}{os.pathsep}{libraries}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"live: deploy {commit.short} at {ADAPTER}")

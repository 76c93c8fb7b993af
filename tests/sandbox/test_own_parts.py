"""A cluster, an engine and a pulumi that somebody has already, in place of the sandbox's own."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import toolchain
from sandbox.box import Box
from sandbox.docker_engine import Docker, engine
from sandbox.processes import Processes
from tests.sandbox.conftest import KubernetesBox, running

pytestmark = [pytest.mark.sandbox, pytest.mark.long]
OWN = {"dockerd", "etcd", "kubelet", "containerd"}
IMAGE = "jsonpath={.items[*].status.containerStatuses[*].imageID}"


@pytest.fixture(scope="module")
def docker_host() -> Iterator[str]:
    for box in running([Docker()]):
        yield engine(box)


@pytest.fixture
def pulumi(tmp_path: Path) -> Path:
    """A pulumi of somebody's own, with the YAML language host beside it."""
    for name in ("pulumi", "pulumi-language-yaml"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).hardlink_to(toolchain.binary(name))
    return tmp_path / "bin" / "pulumi"


@pytest.fixture
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("o")
    yield folder
    assert _sandbox(folder, "reset").returncode == 0


@pytest.mark.timeout(300)
def test_what_somebody_has_already_is_used_and_not_started_again(
    cluster: KubernetesBox, docker_host: str, pulumi: Path, state: Path
) -> None:
    given = ("--kubeconfig", cluster.kubeconfig, "--docker-host", docker_host, "--pulumi", pulumi)

    up = _sandbox(state, "up", *given)

    assert up.returncode == 0, up.stdout + up.stderr
    assert not OWN & {each.name for each in Processes(Box(state)).all()}
    names = _environment(state)
    assert (names["KUBECONFIG"], names["DOCKER_HOST"]) == (str(cluster.kubeconfig), docker_host)
    assert str(pulumi.parent) in names["PATH"].split(":")
    # The example was built by that engine, applied by that pulumi, and runs in that cluster.
    assert "sha256:" in cluster.kubectl("get", "pods", "--namespace=apps", f"--output={IMAGE}")
    other = _sandbox(state, "up", "--docker-host", "unix:///nowhere.sock")
    assert other.returncode == 1
    assert "end it first" in other.stderr


def _sandbox(state: Path, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "sandbox", "--state", state, *words],
        capture_output=True,
        text=True,
        check=False,
    )


def _environment(state: Path) -> dict[str, str]:
    lines = shlex.split(_sandbox(state, "env").stdout)
    return dict(each.split("=", 1) for each in lines if "=" in each)

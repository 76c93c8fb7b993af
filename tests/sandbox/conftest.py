"""Real parts for the tests; what is missing on this machine fails them, it does not skip."""

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sandbox import kubernetes, toolchain
from sandbox.box import Box
from sandbox.kubernetes import Kubernetes
from sandbox.part import Part, start_all, stop_all
from sandbox.prepare import prepare


def until(is_so: Callable[[], object], what: str, within: float = 60.0) -> None:
    """Poll until something is so; the test fails with what was waited for."""
    deadline = time.monotonic() + within
    while not is_so():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {within:.0f} s")
        time.sleep(0.05)  # between two looks at another process


def require_prepared() -> None:
    """Install and build what is missing, or fail with what a person has to do."""
    problems = prepare()
    if problems:
        pytest.fail("the sandbox can't run here: " + "; ".join(problems))


def running(parts: Sequence[Part]) -> Iterator[Box]:
    """A box of its own with these parts, gone afterwards."""
    require_prepared()
    box = Box(Path(tempfile.mkdtemp(prefix="slipway-")))
    try:
        start_all(box, parts)
        yield box
    finally:
        stop_all(box, parts)
        shutil.rmtree(box.root, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator["KubernetesBox"]:
    """A real Kubernetes, without anything else."""
    for box in running([Kubernetes()]):
        yield KubernetesBox(box)


class KubernetesBox:
    """A running cluster, and kubectl on it."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.kubeconfig = kubernetes.kubeconfig(box)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl prints; the test fails when it does."""
        done = subprocess.run(
            [toolchain.binary("kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *arguments: str) -> Any:
        """Objects as kubectl has them."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, *objects: dict[str, Any], manager: str = "pulumi-kubernetes") -> None:
        """Server-side apply, as Pulumi's provider does it."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl(
            "apply",
            "--server-side",
            f"--field-manager={manager}",
            "-f",
            "-",
            stdin=json.dumps(listed),
        )

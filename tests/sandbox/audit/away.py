"""Places outside that are away for a while, as they really go: killed, or with new passwords."""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from sandbox import image_registry, kubernetes, pulumi, repository
from sandbox.box import Box
from sandbox.image_registry import Registry
from sandbox.kubernetes import Kubernetes
from sandbox.part import Part
from sandbox.processes import Processes
from sandbox.pulumi import PulumiCloud
from sandbox.token_issuer.accounts import PUBLISHER, revoked
from tests.sandbox.conftest import until


def registry_down(box: Box) -> contextlib.AbstractContextManager[None]:
    """Nobody can push or pull."""
    return _killed(box, Registry(), "docker-registry")


def registry_account_revoked(box: Box) -> contextlib.AbstractContextManager[None]:
    """The registry does not let Slipway in; the nodes have an account of their own."""
    return revoked(image_registry.folder(box), PUBLISHER)


def pulumi_cloud_down(box: Box) -> contextlib.AbstractContextManager[None]:
    """Neither an environment nor a stack can be read."""
    return _killed(box, PulumiCloud(), "pulumi-cloud")


@contextlib.contextmanager
def pulumi_token_revoked(box: Box) -> Iterator[None]:
    """Pulumi Cloud does not know Slipway's access token any more."""
    file = pulumi.credentials(box)
    before = file.read_text()
    told = json.loads(before)
    told["pulumi_cloud"]["accounts"]["slipway"]["token"] = "pul-another"
    _replace(file, json.dumps(told))
    try:
        yield
    finally:
        _replace(file, before)


def kubernetes_down(box: Box) -> contextlib.AbstractContextManager[None]:
    """The API server is dead; what runs goes on running."""
    return _killed(box, Kubernetes(), "kube-apiserver")


@contextlib.contextmanager
def kubernetes_token_refused(box: Box) -> Iterator[None]:
    """The kubeconfig has a token that the API server does not know."""
    file = kubernetes.kubeconfig(box)
    before = file.read_text()
    _replace(file, before.replace(box.secret("kubernetes-admin"), "another"))
    try:
        yield
    finally:
        _replace(file, before)


@contextlib.contextmanager
def repository_moved(box: Box) -> Iterator[None]:
    """Nobody finds git's repository where it was."""
    path = repository.path(box)
    elsewhere = path.with_name("elsewhere.git")
    path.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(path)


@contextlib.contextmanager
def _killed(box: Box, part: Part, name: str) -> Iterator[None]:
    process = Processes(box).find(name)
    assert process is not None
    os.killpg(process.pid, signal.SIGKILL)
    until(lambda: not process.alive, f"{name} is dead")
    try:
        yield
    finally:
        part.start(box)


def _replace(file: Path, text: str) -> None:
    """In one step, as whoever reads it at any moment needs it."""
    fresh = file.with_suffix(".fresh")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(file)

"""The example's images as they were before Slipway: built and pushed by hand."""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import docker

from sandbox.token_issuer.accounts import Account

BASE_IMAGE = "example-base:1"
BUSYBOX = Path("/bin/busybox")
REPOSITORIES = {"adapter": "oceanid/ls-triton-adapter", "sink": "oceanid/annotations-sink"}
"""Folder of the example → its image's name inside the registry."""

_BASE = b"""FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "mkdir", "-p", "/tmp", "/sbin", "/usr/bin", "/usr/sbin"]
RUN ["/bin/busybox", "--install", "-s"]
"""


def make_base_image(engine: str) -> None:
    """Make the image that the example's Dockerfiles begin with, unless the engine has it."""
    client = docker.DockerClient(base_url=engine, version="auto")
    try:
        if not client.images.list(name=BASE_IMAGE):
            context = _tar({"Dockerfile": _BASE, "busybox": BUSYBOX.read_bytes()})
            client.images.build(fileobj=context, custom_context=True, tag=BASE_IMAGE, rm=True)
    finally:
        client.close()


def publish_by_hand(
    engine: str, host: str, account: Account, repository: Path, commit: str
) -> dict[str, str]:
    """What a person typed before Slipway: build both services, push as the commit and as `main`.

    No labels, as with a plain `docker build`. Returns folder → `name:commit`.
    """
    client = docker.DockerClient(base_url=engine, version="auto", timeout=300)
    named = {folder: f"{host}/{path}" for folder, path in REPOSITORIES.items()}
    try:
        with tempfile.TemporaryDirectory(prefix="slipway-by-hand-") as tree:
            _check_out(repository, commit, Path(tree))
            for folder, name in named.items():
                client.images.build(
                    path=f"{tree}/{folder}",
                    tag=f"{name}:{commit}",
                    buildargs={"SOURCE_COMMIT": commit},
                    rm=True,
                )
                client.api.tag(f"{name}:{commit}", name, "main")
                for tag in (commit, "main"):
                    _push(client, name, tag, account)
    finally:
        client.close()
    return {folder: f"{name}:{commit}" for folder, name in named.items()}


def _push(client: docker.DockerClient, name: str, tag: str, account: Account) -> None:
    """Push, and read the answer: the SDK raises for nothing that goes wrong."""
    auth = {"username": account.username, "password": account.password}
    events: Iterable[Any] = client.api.push(name, tag, stream=True, decode=True, auth_config=auth)
    for event in events:
        if "error" in event:
            raise RuntimeError(f"push of {name}:{tag} failed: {event['error']}")


def _check_out(repository: Path, commit: str, tree: Path) -> None:
    archive = subprocess.run(
        ["git", "archive", commit],  # noqa: S607 - the git that the user has
        cwd=repository,
        check=True,
        capture_output=True,
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(tree, filter="data")


def _tar(files: Mapping[str, bytes]) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    out.seek(0)
    return out

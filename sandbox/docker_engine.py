"""A Docker engine of the sandbox's own, or the one that the user has."""

import shutil
from collections.abc import Mapping, Sequence

import docker
from docker.errors import DockerException

from sandbox import containerd
from sandbox.box import USUAL_DOCKER, Box, listens
from sandbox.example_images import make_base_image
from sandbox.processes import Processes

READY_WITHIN = 180.0


class Docker:
    """The part that builds and pushes images."""

    name = "docker"
    needs: Sequence[str] = ()
    processes: Sequence[str] = ("dockerd",)

    def start(self, box: Box) -> None:
        """Take the engine that answers, or start one; give it the example's base image."""
        chosen = box.options.docker_host or (USUAL_DOCKER if answers(USUAL_DOCKER) else "")
        (box.folder("docker") / "engine").write_text(chosen)
        if not chosen:
            _start_engine(box)
        make_base_image(engine(box))

    def clean(self, box: Box) -> None:
        """End and unmount what an engine has left that did not end in peace."""
        running = box.root / "docker" / "exec"
        containerd.end_all_with(str(running / "containerd" / "containerd.toml"))
        containerd.end_shims(str(running / "containerd" / "containerd.sock"))
        containerd.unmount(str(box.root / "docker"))
        # Ids of processes that are gone: the next engine would wait for them.
        shutil.rmtree(running, ignore_errors=True)
        (box.root / "docker" / "dockerd.pid").unlink(missing_ok=True)

    def environment(self, box: Box) -> Mapping[str, str]:
        """Where docker finds the engine."""
        return {"DOCKER_HOST": engine(box)}


def engine(box: Box) -> str:
    """The engine's address."""
    chosen = box.folder("docker") / "engine"
    asked = chosen.read_text() if chosen.exists() else box.options.docker_host
    return asked or f"unix://{box.socket('docker.sock')}"


def answers(address: str) -> bool:
    """Whether an engine answers at this address."""
    # Asked first: the SDK leaves its own socket open where nobody listens.
    if address.startswith("unix://") and not listens(address):
        return False
    try:
        client = docker.DockerClient(base_url=address, version="auto", timeout=5)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except DockerException:
        return False
    finally:
        client.close()


def _start_engine(box: Box) -> None:
    processes = Processes(box)
    processes.start("dockerd", command(box))
    processes.wait("dockerd", "the engine answers", lambda: answers(engine(box)), READY_WITHIN)


def command(box: Box) -> list[str]:
    """Start an engine whose every file lies in the box.

    It has no bridge and no firewall rules: builds run here, containers run in Kubernetes. So two
    engines get along, and nothing is left of one that has ended.
    """
    folder = box.folder("docker")
    return [
        "/usr/sbin/dockerd",
        f"--data-root={folder / 'data'}",
        f"--exec-root={folder / 'exec'}",
        f"--pidfile={folder / 'dockerd.pid'}",
        f"--host=unix://{box.socket('docker.sock')}",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--ip-masq=false",
        "--shutdown-timeout=3",
        "--log-level=warn",
    ]

"""A Docker engine of the sandbox's own, or the one that the user has."""

import socket
from pathlib import Path

import docker
from docker.errors import DockerException

PROGRAM = "/usr/sbin/dockerd"


def command(folder: Path) -> list[str]:
    """Start an engine whose every file lies in `folder`.

    It has no bridge and no firewall rules: builds run here, containers run in Kubernetes. So two
    engines get along, and nothing is left of one that has ended.
    """
    return [
        PROGRAM,
        f"--data-root={folder / 'data'}",
        f"--exec-root={folder / 'exec'}",
        f"--pidfile={folder / 'dockerd.pid'}",
        f"--host={address(folder)}",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--ip-masq=false",
        "--log-level=warn",
    ]


def address(folder: Path) -> str:
    """Where the engine in `folder` listens; a socket's name may have 107 bytes."""
    return f"unix://{folder / 'docker.sock'}"


def answers(engine: str) -> bool:
    """Whether an engine answers at this address."""
    if engine.startswith("unix://") and not _listens(engine.removeprefix("unix://")):
        return False
    try:
        client = docker.DockerClient(base_url=engine, version="auto", timeout=5)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except DockerException:
        return False
    finally:
        client.close()


def _listens(path: str) -> bool:
    """Whether somebody listens at a socket; asked first, for the SDK leaves its own open if not."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0

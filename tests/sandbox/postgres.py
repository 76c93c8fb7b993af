"""A real PostgreSQL, of the version that the distribution has, for the tests that need one."""

import contextlib
import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
INITDB = shutil.which("initdb", path=os.pathsep.join([*map(str, DEBIAN), os.environ["PATH"]]))
USER = "nobody" if os.geteuid() == 0 else None
"""PostgreSQL refuses to run as root."""

needed = pytest.mark.skipif(INITDB is None, reason="PostgreSQL is not installed")


def tool(name: str) -> str:
    return str(Path(INITDB or "").with_name(name))


def run_as_server(folder: Path, name: str, *arguments: str) -> None:
    # To nowhere: the server would keep a pipe open after pg_ctl has ended.
    nowhere = subprocess.DEVNULL
    subprocess.run(
        [tool(name), *arguments], cwd=folder, user=USER, check=True, stdout=nowhere, stderr=nowhere
    )


@dataclass(frozen=True)
class Server:
    """A server of our own on a free port, with its files in a folder that its user may enter."""

    folder: Path
    port: str

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        where = f"-h 127.0.0.1 -p {self.port} -k {self.folder}"
        self._control("-l", str(self.folder / "log"), "-w", "-o", where, "start")

    def stop(self) -> None:
        """End it at once, whoever is connected."""
        self._control("-m", "immediate", "-w", "stop")

    def _control(self, *words: str) -> None:
        run_as_server(self.folder, "pg_ctl", "-D", str(self.folder / "cluster"), *words)


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """A server until the context ends; it must run then."""
    folder = Path("/tmp") / f"slipway-postgres-{uuid.uuid4().hex}"  # noqa: S108 - random name
    folder.mkdir(mode=0o700)
    if USER is not None:
        shutil.chown(folder, USER)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    server = Server(folder, port)
    cluster = str(folder / "cluster")
    run_as_server(folder, "initdb", "-D", cluster, "-A", "trust", "-U", "slipway")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The address of a server."""
    with serving() as server:
        yield server.address


def new_database(server: str) -> str:
    """The URL of an empty database there."""
    host, _, port = server.partition(":")
    name = f"ledger_{uuid.uuid4().hex}"
    subprocess.run(
        [tool("createdb"), "-h", host, "-p", port, "-U", "slipway", name],
        check=True,
        capture_output=True,
    )
    return f"postgresql+asyncpg://slipway@{server}/{name}"

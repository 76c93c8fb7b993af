"""A real PostgreSQL, of the version that the distribution has, for the tests that need one."""

import contextlib
import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
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


@contextlib.contextmanager
def running() -> Iterator[str]:
    """A server of our own on a free port, with its files in a folder that its user may enter."""
    folder = Path("/tmp") / f"slipway-postgres-{uuid.uuid4().hex}"  # noqa: S108 - random name
    folder.mkdir(mode=0o700)
    if USER is not None:
        shutil.chown(folder, USER)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    cluster, log = str(folder / "cluster"), str(folder / "log")
    where = f"-h 127.0.0.1 -p {port} -k {folder}"
    run_as_server(folder, "initdb", "-D", cluster, "-A", "trust", "-U", "slipway")
    run_as_server(folder, "pg_ctl", "-D", cluster, "-l", log, "-w", "-o", where, "start")
    yield f"127.0.0.1:{port}"
    run_as_server(folder, "pg_ctl", "-D", cluster, "-m", "immediate", "-w", "stop")
    shutil.rmtree(folder)


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

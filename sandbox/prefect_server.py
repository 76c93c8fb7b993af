"""Prefect in the sandbox: its server with the UI, and a process worker."""

import base64
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from sandbox import cache, example
from sandbox.box import Box
from sandbox.processes import PartFailed, Processes

POOL = "slipway"
DATABASE = "prefect.db"
READY_WITHIN = 300.0
"""Half a minute on quiet cores; minutes where several of them start at once."""
ROOT = Path(__file__).parents[1]


class Prefect:
    """Prefect's server."""

    name = "prefect"
    needs: Sequence[str] = ()
    processes: Sequence[str] = ("prefect-server",)

    def start(self, box: Box) -> None:
        """Start the server; a first one on a machine takes half a minute."""
        _lay_out_database(box)
        processes = Processes(box)
        port = box.port("prefect")
        processes.start(
            "prefect-server",
            [*_prefect(), "server", "start", "--host=127.0.0.1", f"--port={port}"],
            environment={
                **settings(box),
                "PREFECT_UI_API_URL": api(box),
                # Else the key of its encrypted blocks lies beside them in its database.
                "PREFECT_SERVER_ENCRYPTION_KEY": encryption_key(box),
            },
        )
        processes.wait(
            "prefect-server", "Prefect answers", lambda: _answers(api(box)), READY_WITHIN
        )

    def clean(self, box: Box) -> None:
        """Nothing stays behind."""

    def environment(self, box: Box) -> Mapping[str, str]:
        """Where the prefect command finds its server, in a home of its own."""
        return settings(box)


class Worker:
    """A process worker, with what the example's flow runs need in its environment."""

    name = "worker"
    needs: Sequence[str] = ("prefect", "example")
    processes: Sequence[str] = ("prefect-worker",)

    def start(self, box: Box) -> None:
        """Register the example's targets, then start the worker."""
        register(box)
        start_worker(box)

    def clean(self, box: Box) -> None:
        """Nothing stays behind."""

    def environment(self, box: Box) -> Mapping[str, str]:
        """Nothing more than the server's."""
        del box
        return {}


def start_worker(box: Box) -> None:
    """Start the worker of targets that are registered."""
    environment = {**settings(box), **example.variables(box)}
    Processes(box).start(
        "prefect-worker",
        [*_prefect(), "worker", "start", f"--pool={POOL}", "--name=sandbox", "--type=process"],
        environment={
            **environment,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            # Slipway's git mirror stays in the sandbox, not in the user's home.
            "XDG_STATE_HOME": str(box.folder("state")),
            # Runs are started as `python -m prefect.engine`: with this Python, not another.
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        folder=ROOT,
    )


def api(box: Box) -> str:
    """The address of Prefect's API."""
    return f"http://127.0.0.1:{box.port('prefect')}/api"


def encryption_key(box: Box) -> str:
    """The key of Prefect's encrypted blocks: 32 bytes, as Fernet wants them written."""
    made = hashlib.sha256(box.secret("prefect-blocks").encode()).digest()
    return base64.urlsafe_b64encode(made).decode()


def settings(box: Box) -> dict[str, str]:
    """What every Prefect process of the sandbox needs: its own home, and nothing sent anywhere."""
    return {
        "PREFECT_HOME": str(box.folder("prefect")),
        "PREFECT_API_URL": api(box),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def _lay_out_database(box: Box) -> None:
    """Begin with a database whose migrations have been done: they take fifteen seconds."""
    database = Path(settings(box)["PREFECT_HOME"]) / DATABASE
    if database.exists():
        return
    migrated = cache.folder() / f"prefect-{importlib.metadata.version('prefect')}.db"
    if not migrated.exists():
        _migrate(migrated)
    shutil.copyfile(migrated, database)


def _migrate(migrated: Path) -> None:
    migrated.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=migrated.parent) as home:
        done = subprocess.run(
            [*_prefect(), "server", "database", "upgrade", "--yes"],
            env={"PATH": os.environ["PATH"], "PREFECT_HOME": home},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise PartFailed(f"Prefect's database can't be made:\n{done.stdout}{done.stderr}")
        (Path(home) / DATABASE).rename(migrated)


def register(box: Box) -> None:
    """`slipway register`, which may be done again; `PartFailed` with what it said."""
    environment = {**settings(box), **example.variables(box)}
    program = "from slipway.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "register"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PartFailed(f"slipway register failed:\n{done.stdout}{done.stderr}")


def _prefect() -> list[str]:
    return [sys.executable, "-m", "prefect"]


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health", timeout=2.0).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False

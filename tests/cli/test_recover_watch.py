"""`slipway recover --watch`: a process that ends in order, and what it does without Prefect."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from slipway.cli.recover_watch import RecoveriesHere
from slipway.errors import Unreachable
from slipway.ledger.sql import SqlLedger
from slipway.ports import RunState
from tests.ledger.examples import TINY, a_request, a_target, sqlite_at
from tests.webhook.process import CONFIGURATION, TARGET


class Prefect(ThreadingHTTPServer):
    """Prefect's API, as far as starting one run needs it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked: list[dict[str, Any]] = []
        self.started = threading.Event()


class _Answers(BaseHTTPRequestHandler):
    server: Prefect

    def do_GET(self) -> None:
        known = self.path in {
            "/api/deployments/name/recover/acme%3Acluster%3Aprod",
            "/api/flow_runs/run-1",
        }
        self._answer({"id": "deployment-1", "state": {"type": "RUNNING"}}, 200 if known else 404)

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer({"id": "run-1"}, 201)
        self.server.started.set()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called there
        """Nothing: the test's own log is enough."""

    def _answer(self, body: dict[str, Any], status: int) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def prefect() -> Iterator[Prefect]:
    with Prefect() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def watching(folder: Path, *words: str, prefect: int = 9) -> Iterator[subprocess.Popen[str]]:
    """The process, from where it has begun to watch to its end by one SIGTERM."""
    config = folder / "slipway.toml"
    config.write_text(CONFIGURATION.format(repository=folder))
    environment = {
        "SLIPWAY_LEDGER_URL": f"sqlite:///{folder / 'ledger.db'}",
        "PREFECT_API_URL": f"http://127.0.0.1:{prefect}/api",
        "HOME": str(folder),
    }
    program = "from slipway.cli.main import main; main()"
    command = [sys.executable, "-c", program, "--config", str(config), "recover", "--watch", *words]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = ""
    while "watching for releases" not in line:
        line = process.stderr.readline()
        assert line, process.wait()
    yield process
    process.send_signal(signal.SIGTERM)
    process.wait(120)
    process.stderr.close()


async def leave_one(folder: Path) -> None:
    """A release whose process has died with the lease."""
    ledger = SqlLedger(sqlite_at(folder / "ledger.db"))
    lease = await ledger.acquire("acme/cluster/prod", "dead", TINY)
    assert lease is not None
    release = await ledger.open(a_target(TARGET), a_request())
    await ledger.save(replace(release, fence=lease.fence))
    await ledger.close()
    await asyncio.sleep(TINY)


@pytest.mark.timeout(300)  # processes start slowly where others are busy
def test_the_watch_starts_a_run_for_what_is_left_and_ends_by_one_sigterm(
    tmp_path: Path, prefect: Prefect
) -> None:
    asyncio.run(leave_one(tmp_path))

    with watching(tmp_path, prefect=prefect.server_port) as process:
        assert prefect.started.wait(60)

    assert process.returncode == 0
    [asked] = prefect.asked
    assert asked["parameters"] == {"target": TARGET}


@pytest.mark.timeout(300)  # likewise
@pytest.mark.parametrize("words", [(), ("--local",)])
def test_one_sigterm_ends_a_watch_that_has_nothing_to_do(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    with watching(tmp_path, *words) as process:
        pass

    assert process.returncode == 0


class Recovering:
    """Recoveries that go on until they are let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.let_go = threading.Event()
        self._error = error

    def __call__(self, target: str) -> None:
        self.begun.append(target)
        self.let_go.wait(60)
        if self._error is not None:
            raise self._error
        self.ended.append(target)


async def start(runs: RecoveriesHere, key: str) -> str:
    return await runs.start("recover/acme:cluster:prod", {"target": TARGET}, key)


async def until_begun(recovering: Recovering) -> None:
    deadline = time.monotonic() + 60
    while not recovering.begun:
        assert time.monotonic() < deadline
        await asyncio.sleep(0)


async def test_without_prefect_a_stack_is_recovered_here_once_at_a_time() -> None:
    recovering = Recovering()
    runs = RecoveriesHere(recovering)

    run = await start(runs, "1")
    await until_begun(recovering)
    assert await start(runs, "2") == run
    assert await runs.state(run) is RunState.TAKEN
    recovering.let_go.set()
    await runs.finish()

    assert await runs.state(run) is RunState.ENDED
    assert recovering.ended == [TARGET]


@pytest.mark.parametrize("error", [Unreachable("the ledger is away"), RuntimeError("a defect")])
async def test_a_recovery_here_that_fails_has_ended_and_may_be_tried_again(
    error: Exception,
) -> None:
    recovering = Recovering(error)
    recovering.let_go.set()
    runs = RecoveriesHere(recovering)

    for key in ("1", "2"):
        await start(runs, key)
        await runs.finish()

    assert recovering.begun == [TARGET, TARGET]

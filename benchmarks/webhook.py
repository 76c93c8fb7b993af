"""What the webhook's receiver costs, and how fast it acknowledges what is on disk.

It needs no sandbox. The peer, adnanh/webhook of Debian's package `webhook`, starts a process for
each delivery, as its users do; where it is not installed, the row does not hold.
"""

import asyncio
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.rows import AtMost, Row
from benchmarks.samples import Sample, Series, in_turns
from benchmarks.signed import SECRET, Delivery, deliveries
from benchmarks.webhook_servers import SERVERS
from sandbox.box import free_port

PEER = shutil.which("webhook")
SENDERS, MANY_SENDERS = 16, 64
REQUESTS, OF_PEER, DURABLE = 6000, 600, 2000
"""A round's requests: enough for the kernel's clock of ten milliseconds."""
GROUP = MANY_SENDERS
"""Rows that one commit of the limit holds: all that can wait at once."""
READY_WITHIN = 30.0
TICK = os.sysconf("SC_CLK_TCK")
TABLES = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
CREATE TABLE delivery (number INTEGER PRIMARY KEY, id TEXT UNIQUE, digest TEXT UNIQUE, event TEXT,
 repository TEXT, sender TEXT, branch TEXT, before_sha TEXT, after_sha TEXT, ignored TEXT,
 received REAL);
CREATE TABLE delivery_target (delivery INTEGER, target TEXT, outcome TEXT, reason TEXT, run TEXT,
 decided REAL, PRIMARY KEY (delivery, target));
"""


async def measure(_: None, rounds: int) -> list[Row]:
    """A request's processor time, and a durable acknowledgement's time."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        costs = Costs(Path(folder))
        sides = {name: costs.side(name) for name in ("ours", "bare")}
        if PEER:
            sides["peer"] = costs.side("peer")
        cpu = await in_turns(sides, rounds)
        durable = Durable(Path(folder))
        kept = await in_turns({"ours": durable.ours, "limit": durable.limit}, rounds)
    return [*rows_of(cpu), _durable(kept)]


def rows_of(cpu: Mapping[str, Series]) -> list[Row]:
    """The rows of what a delivery costs, by who serves it."""
    ours, peer = cpu["ours"], cpu.get("peer")
    what = "processor time of a delivery of 8 KB, without its commit"
    return [
        Row(
            "P1",
            what,
            "µs",
            ours,
            limit=cpu["bare"],
            promise=AtMost(3.0, "limit"),
            note="limit: HTTP parsed and the signature verified, nothing else",
        ),
        Row(
            "P1-peer",
            what,
            "µs",
            ours,
            peer,
            promise=AtMost(0.2, "peer"),
            note="peer: adnanh/webhook, which starts /bin/true"
            if peer
            else "no peer: Debian's package webhook is not installed",
        ),
    ]


def _durable(kept: dict[str, Series]) -> Row:
    return Row(
        "P3",
        f"a durable acknowledgement, {MANY_SENDERS} senders",
        "ms",
        kept["ours"],
        limit=kept["limit"],
        promise=AtMost(1 / 0.3, "limit"),
        note=f"limit: sqlite3, {GROUP} rows a commit, on the same disk",
    )


@dataclass
class Costs:
    """Processor time of a request, in microseconds, by who serves it."""

    folder: Path
    sent: Sequence[Delivery] = field(default_factory=lambda: deliveries(REQUESTS))

    def side(self, name: str) -> "Serving":
        """One server, asked in every round."""
        number = OF_PEER if name == "peer" else REQUESTS
        return Serving(self.folder, name, self.sent[:number])


@dataclass
class Serving:
    """A server of its own in every round: what it keeps of one does not slow the next."""

    folder: Path
    name: str
    sent: Sequence[Delivery]

    async def __call__(self, _: int) -> Sample:
        """Send everything once; the server's processor time of a request."""
        async with served(self.name, self.folder) as server:
            await send_all(server, self.sent[:SENDERS], SENDERS)
            before = cpu_seconds(server.pid)
            await send_all(server, self.sent, SENDERS)
            used = cpu_seconds(server.pid) - before
        return Sample(used / len(self.sent) * 1e6)


@dataclass
class Durable:
    """Milliseconds until one more delivery is acknowledged, while many are sent."""

    folder: Path

    async def ours(self, _: int) -> Sample:
        """By the receiver, every delivery another one."""
        sent = deliveries(DURABLE)
        async with served("durable", Path(tempfile.mkdtemp(dir=self.folder))) as server:
            await send_all(server, deliveries(SENDERS), SENDERS)
            began = time.perf_counter()
            await send_all(server, sent, MANY_SENDERS)
            took = time.perf_counter() - began
        return Sample(took / len(sent) * 1e3)

    async def limit(self, _: int) -> Sample:
        """By sqlite3 alone, in groups."""
        path = Path(tempfile.mkdtemp(dir=self.folder)) / "limit.db"
        return await asyncio.to_thread(_commit_groups, path)


def _commit_groups(path: Path) -> Sample:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(TABLES)
    rows = [_row(number) for number in range(DURABLE)]
    began = time.perf_counter()
    for start in range(0, DURABLE, GROUP):
        group = rows[start : start + GROUP]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(f"INSERT INTO delivery VALUES ({','.join('?' * 11)})", group)  # noqa: S608 - only marks
        targets = [(row[0], "web-prod", None, "", "", None) for row in group]
        connection.executemany("INSERT INTO delivery_target VALUES (?,?,?,?,?,?)", targets)
        connection.execute("COMMIT")
    took = time.perf_counter() - began
    connection.close()
    return Sample(took / DURABLE * 1e3)


def _row(number: int) -> tuple[object, ...]:
    id_, digest = str(uuid.uuid4()), uuid.uuid4().hex * 2
    commit = uuid.uuid4().hex + uuid.uuid4().hex[:8]
    received = ("push", "example/shop", "ada", "main", commit, commit, "", time.time())
    return (number, id_, digest, *received)


@dataclass(frozen=True)
class Server:
    """A server that answers, and where."""

    pid: int
    port: int
    path: str


@contextlib.asynccontextmanager
async def served(name: str, folder: Path) -> AsyncIterator[Server]:
    """The server as a process, from its first answer to its end."""
    port = free_port()
    words, path = _peer(folder, port) if name == "peer" else _own(name, folder, port)
    environment = {**os.environ, "SLIPWAY_WEBHOOK_SECRETS": SECRET}
    with (folder / f"{name}.log").open("ab") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - started before anything is measured
            words, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        await _until_it_listens(port)
        yield Server(process.pid, port, path)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 30)


def _own(name: str, folder: Path, port: int) -> tuple[list[str], str]:
    assert name in SERVERS  # noqa: S101 - named in this file
    words = [sys.executable, "-m", "benchmarks.webhook_servers", name, str(port), str(folder)]
    return words, "/github"


def _peer(folder: Path, port: int) -> tuple[list[str], str]:
    signed = {"source": "header", "name": "X-Hub-Signature-256"}
    hook = {
        "id": "github",
        "execute-command": "/bin/true",
        "trigger-rule": {
            "match": {"type": "payload-hmac-sha256", "secret": SECRET, "parameter": signed}
        },
    }
    path = folder / "hooks.json"
    path.write_text(json.dumps([hook]))
    words = [str(PEER), "-hooks", str(path), "-ip", "127.0.0.1", "-port", str(port)]
    return words, "/hooks/github"


async def _until_it_listens(port: int) -> None:
    async with asyncio.timeout(READY_WITHIN):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)


async def send_all(server: Server, sent: Sequence[Delivery], senders: int) -> Sequence[float]:
    """Send every delivery once, each sender over a connection of its own, one after the other.

    The milliseconds after which each was acknowledged.
    """
    waiting = iter([each.request(server.path) for each in sent])
    taken: list[float] = []

    async def send() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for each in waiting:
            began = time.perf_counter()
            writer.write(each)
            await _require_good(reader)
            taken.append((time.perf_counter() - began) * 1e3)
        writer.close()

    await asyncio.gather(*(send() for _ in range(senders)))
    return taken


async def _require_good(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b" 20" not in head.split(b"\r\n", 1)[0]:
        raise RuntimeError(f"the server refused a delivery: {head[:200]!r}")
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length or 0))


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and of its children that have ended (proc(5), /proc/PID/stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICK

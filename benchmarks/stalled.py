"""What senders that stall cost good ones, and how soon they are hung up on."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.rows import AtMost, Row
from benchmarks.samples import Sample, Series, in_turns, slowest_of_a_hundred
from benchmarks.signed import deliveries
from benchmarks.webhook import Server, send_all, served

STALLED = 200
"""Half of them within the headers, half within the body."""
SENDERS, DELIVERIES = 4, 800
GIVEN_UP_AFTER = 60.0
HEAD = b"POST /github HTTP/1.1\r\nHost: 127.0.0.1\r\n"
CLAIMED = b"X-Hub-Signature-256: sha256=" + b"0" * 64 + b"\r\n"
"""Without it no body is waited for."""
BEGUN = (HEAD + b"X-GitHub-Ev", HEAD + CLAIMED + b"Content-Length: 100\r\n\r\n{")


async def measure(_: None, rounds: int) -> list[Row]:
    """The p99 of good deliveries beside stalled ones and without, and when those are closed."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        beside = Beside(Path(folder))
        alone = Alone(Path(folder))
        taken = await in_turns({"beside": beside, "alone": alone}, rounds)
    return rows_of(taken["beside"], taken["alone"], Series(tuple(beside.closed)))


def rows_of(beside: Series, alone: Series, closed: Series) -> list[Row]:
    """The two rows."""
    return [
        Row(
            "stalled-p99",
            f"a durable acknowledgement's p99 beside {STALLED} stalled senders",
            "ms",
            beside,
            limit=alone,
            promise=AtMost(1.5, "limit"),
            note="limit: the same without them",
        ),
        Row(
            "stalled-closed",
            f"until {STALLED} stalled senders are all hung up on",
            "s",
            closed,
            promise=AtMost(10.0),
        ),
    ]


@dataclass
class Alone:
    """Good deliveries alone."""

    folder: Path

    async def __call__(self, _: int) -> Sample:
        """Milliseconds that 99 of 100 were acknowledged within."""
        async with _durable(self.folder) as server:
            return await _p99(server)


@dataclass
class Beside:
    """Good deliveries while others stall."""

    folder: Path
    closed: list[Sample] = field(default_factory=list)
    """Seconds of each round until the last of them was hung up on."""

    async def __call__(self, _: int) -> Sample:
        """Milliseconds that 99 of 100 were acknowledged within."""
        async with _durable(self.folder) as server, asyncio.timeout(GIVEN_UP_AFTER):
            began = time.perf_counter()
            stalled = [
                asyncio.create_task(_stall(server, BEGUN[number % len(BEGUN)]))
                for number in range(STALLED)
            ]
            taken = await _p99(server)
            if any(each.done() for each in stalled):
                raise RuntimeError("the good deliveries took longer than the stalled were let be")
            await asyncio.gather(*stalled)
            self.closed.append(Sample(time.perf_counter() - began))
        return taken


@contextlib.asynccontextmanager
async def _durable(folder: Path) -> AsyncIterator[Server]:
    async with served("durable", Path(tempfile.mkdtemp(dir=folder))) as server:
        await send_all(server, deliveries(SENDERS), SENDERS)
        yield server


async def _p99(server: Server) -> Sample:
    taken = await send_all(server, deliveries(DELIVERIES), SENDERS)
    return Sample(slowest_of_a_hundred(taken))


async def _stall(server: Server, begun: bytes) -> None:
    """Begin a request, and wait until the server has had enough."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(begun)
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()

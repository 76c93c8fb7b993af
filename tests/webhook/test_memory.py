"""What strangers send costs no memory worth speaking of."""

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CAP = 1024 * 1024
HUGE = 1024 * CAP
PIECE = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
HEAD = b"POST /github HTTP/1.1\r\nhost: slipway\r\n"
SIGNED = b"x-hub-signature-256: sha256=" + b"0" * 64 + b"\r\n"
CHUNKED = HEAD + SIGNED + b"transfer-encoding: chunked\r\n\r\n"
PROGRAM = """
import asyncio
from tests.webhook.serving import serving

async def main():
    async with serving() as port:
        print(port, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def server() -> Iterator[tuple[int, int]]:
    """A receiver in a process of its own: its process id and its port."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
        process.kill()


def peak(pid: int) -> int:
    """The most bytes that the process has had in memory."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def send(port: int, head: bytes, piece: bytes, total: int) -> int:
    """Send until the server hangs up; the bytes that got away."""
    sent = 0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(60)
        with contextlib.suppress(ConnectionError):
            connection.sendall(head)
            while sent < total:
                connection.sendall(piece)
                sent += len(piece)
        with contextlib.suppress(ConnectionError):
            connection.recv(1000)
    return sent


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (CHUNKED, PIECE),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n", PIECE),
        (CHUNKED, b"1\r\nx\r\n" * 10_000),
        (HEAD + SIGNED + b"content-length: %d\r\n\r\n" % HUGE, b"x" * 0x10000),
        (HEAD, b"x-padding: %s\r\n" % (b"x" * 0x1000)),
        (HEAD + b"x-padding: ", b"x" * 0x10000),
        (b"POST /", b"x" * 0x10000),
        (CHUNKED + b"1\r\nx\r\n0\r\n", b"x-trailer: x\r\n" * 5000),
        (CHUNKED + b"1;", b"x" * 0x10000),
    ],
    ids=[
        "chunked",
        "chunked, unsigned",
        "chunked by single bytes",
        "declared",
        "headers",
        "one header",
        "a path",
        "trailers",
        "a chunk extension",
    ],
)
def test_a_gigabyte_costs_at_most_twice_the_cap(
    server: tuple[int, int], head: bytes, piece: bytes
) -> None:
    pid, port = server
    send(port, HEAD + b"content-length: 1\r\n\r\nx", b"", 0)
    before = peak(pid)

    got_away = send(port, head, piece, HUGE)

    assert got_away < HUGE // 4
    assert peak(pid) - before <= 2 * CAP
    os.kill(pid, 0)

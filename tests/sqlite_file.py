"""Looks into an SQLite file beside the programs that use it, and leaves it alone afterwards."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, closed at the end.

    A connection's own `with` leaves it open until Python looks for cycles. Whoever then reads the
    file as bytes loses all its locks in this process (https://sqlite.org/howtocorrupt.html, 2.2):
    other programs take themselves for the last, remove its -wal and -shm, and the next look from
    here, at what is left of them, finds a malformed database that is whole.
    """
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()

"""Whose time it is: what a person would wait for too, the soak, and the rest."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from benchmarks.timed_release import Interval, Timed, covered, own_by_port, parts_of, peak_mib


def test_time_that_two_calls_share_counts_once() -> None:
    assert covered([("a", 0, 2), ("b", 1, 3), ("c", 5, 6)]) == 4
    assert covered([("a", 0, 10), ("b", 2, 3)]) == 10
    assert covered([]) == 0


def test_our_own_part_is_what_is_neither_work_nor_soak() -> None:
    intervals: list[Interval] = [
        ("registry.find", 0.0, 1.0),
        ("builder.build", 1.0, 3.0),
        ("builder.push", 3.0, 3.5),
        ("stack.preview", 4.0, 5.0),
        ("stack.up", 5.0, 8.0),
        ("cluster.health", 8.1, 8.2),
        ("cluster.health", 11.2, 11.3),
    ]

    parts = parts_of(12.0, 3.0, intervals)

    assert parts["build"] == 2.0
    assert parts["pulumi up"] == 3.0
    assert parts["health"] == pytest.approx(0.2)
    assert parts["soak"] == 3.0
    assert parts["own"] == pytest.approx(12.0 - 6.6 - 3.0), "the soak counts its look at health"


def test_our_own_part_is_told_by_port_without_what_is_work() -> None:
    intervals: list[Interval] = [
        ("source.fetch", 0, 1),
        ("source.resolve", 1, 3),
        ("stack.up", 3, 9),
        ("stack.state", 9, 9.5),
    ]

    assert own_by_port(intervals) == {"source": 3, "stack": 0.5}


class Port:
    name = "a plain value"

    async def read(self) -> str:
        return "read"

    async def fail(self) -> None:
        raise LookupError("gone")

    @contextlib.asynccontextmanager
    async def checkout(self) -> AsyncIterator[str]:
        yield "tree"


async def test_a_timed_port_does_what_the_port_does_and_notes_it() -> None:
    noted: list[Interval] = []
    port = Timed("source", Port(), noted.append)

    assert await port.read() == "read"
    assert port.name == "a plain value"
    async with port.checkout() as tree:
        assert tree == "tree"
    with pytest.raises(LookupError, match="gone"):
        await port.fail()

    assert [name for name, _, _ in noted] == ["source.read", "source.checkout", "source.fail"]
    assert all(began <= ended for _, began, ended in noted)


def test_the_peak_of_this_process_is_known() -> None:
    assert 5 < peak_mib() < 10_000

"""The statistics: medians that one slow round does not move, ratios round by round, slopes."""

import os
import sys

import pytest

from benchmarks.samples import (
    Sample,
    Series,
    Side,
    exponent,
    in_turns,
    ratio,
    run,
    series,
    slowest_of_a_hundred,
    warm_up,
)


def test_one_slow_round_moves_neither_median_nor_ratio() -> None:
    ours = series(1.0, 1.1, 9.0, 0.9, 1.0)
    peer = series(2.0, 2.2, 18.0, 1.8, 2.0)

    assert ours.median == 1.0
    assert ours.spread == (0.9, 9.0)
    assert ratio(ours, peer) == pytest.approx(0.5)


def test_a_round_that_was_slow_for_everybody_leaves_the_ratio() -> None:
    """The medians alone would say 1.0."""
    ours, peer = series(1, 10, 10, 1, 1), series(2, 20, 1, 2, 1)

    assert ratio(ours, peer) == 0.5


def test_sides_of_unlike_length_are_compared_by_their_medians() -> None:
    assert ratio(series(1, 2, 3), series(4)) == 0.5


def test_nothing_is_compared_with_zero() -> None:
    assert ratio(series(1.0), series(0.0)) is None
    assert ratio(series(1.0), series(0.0, 0.0)) is None


def test_processor_time_counts_only_where_every_round_has_it() -> None:
    assert Series((Sample(1, cpu=0.5), Sample(2, cpu=0.7), Sample(3, cpu=0.6))).cpu == 0.6
    assert Series((Sample(1, cpu=0.5), Sample(2))).cpu is None


def test_what_mostly_was_not_waited_for_stands_for_more_than_it_says() -> None:
    cut = Sample(30.0, at_least=True)

    assert Series((cut, cut, Sample(29.0))).at_least
    assert not Series((cut, Sample(2.0), Sample(3.0))).at_least


async def test_every_side_does_every_round_and_each_begins_some() -> None:
    done: list[str] = []

    async def ours(number: int) -> Sample:
        done.append(f"ours {number}")
        return Sample(number)

    async def peer(number: int) -> Sample:
        done.append(f"peer {number}")
        return Sample(10 + number)

    taken = await in_turns({"ours": ours, "peer": peer}, 2)

    assert done == ["ours 0", "peer 0", "peer 1", "ours 1"]
    assert taken["ours"].values == (0, 1)
    assert taken["peer"].values == (10, 11)


def test_the_exponent_is_the_power_that_a_cost_grows_by() -> None:
    assert exponent({n: 3e-4 * n for n in (10, 100, 1000)}) == pytest.approx(1.0)
    assert exponent({n: 0.2 * n**1.5 for n in (10, 100, 1000)}) == pytest.approx(1.5)
    assert exponent({10: 0.3, 1000: 0.3}) == pytest.approx(0.0)


def test_one_point_has_no_exponent() -> None:
    with pytest.raises(ValueError, match="1 points"):
        exponent({10: 1.0})


def test_a_command_is_timed_with_the_processor_time_of_what_it_started() -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"

    ended = run([sys.executable, "-c", program], dict(os.environ))

    assert ended.sample.cpu is not None
    assert ended.sample.cpu >= 0.2
    assert ended.sample.value > 0


def test_a_command_that_fails_is_no_measurement() -> None:
    words = ["/bin/sh", "-c", "echo it broke; exit 3"]

    with pytest.raises(RuntimeError, match=r"ended with 3:\nit broke"):
        run(words, {})
    assert run(words, {}, may_fail=True).code == 3


async def test_each_side_is_warm_before_the_first_round_of_any() -> None:
    done: list[tuple[str, int]] = []

    def side(name: str) -> Side:
        async def work(number: int) -> Sample:
            done.append((name, number))
            return Sample(1.0)

        return work

    sides = {"ours": side("ours"), "peer": side("peer")}
    await warm_up(sides)
    await in_turns(sides, 1)

    assert done == [("ours", -1), ("peer", -1), ("ours", 0), ("peer", 0)]


def test_the_slowest_of_a_hundred_leaves_out_one_in_a_hundred() -> None:
    assert slowest_of_a_hundred([*range(100), 1000]) == 99
    assert slowest_of_a_hundred([*range(99), 1000]) == 98
    assert slowest_of_a_hundred([7]) == 7

"""Growth and deploys: how what was taken becomes rows."""

import subprocess
from collections.abc import Mapping

import pytest

from benchmarks.deploy import SCRIPT, Told, medians, rows, steps_of
from benchmarks.growing import Growth, exponents
from benchmarks.samples import Sample, Series, Side, series

SIZES = (10, 100, 1000)


async def nothing(_: int) -> Mapping[str, Side]:
    return {}


def growth(at_most: float = 1.1) -> Growth:
    return Growth("growth-x", "do it", "things", SIZES, nothing, at_most)


def test_a_cost_that_grows_as_promised_holds_and_shows_its_points() -> None:
    taken = {n: {"ours": series(n * 1e-3, n * 2e-3), "peer": series(0.5, 0.5)} for n in SIZES}

    slope, largest = growth().rows(taken)

    assert slope.ours.values == pytest.approx((1.0, 1.0))
    assert slope.peer is not None
    assert slope.peer.median == pytest.approx(0.0)
    assert slope.ok is True
    assert slope.points["ours"] == pytest.approx({10: 0.015, 100: 0.15, 1000: 1.5})
    assert largest.ours.values == (1.0, 2.0)
    assert largest.promise is None


def test_a_cost_that_grows_faster_breaks_its_promise() -> None:
    taken = {n: {"ours": series(n**1.5)} for n in SIZES}

    assert growth().rows(taken)[0].ok is False
    assert growth(1.6).rows(taken)[0].ok is True


def test_a_cost_that_grows_fast_at_last_breaks_its_promise_whatever_it_costs_at_first() -> None:
    taken = {n: {"ours": series(2.0 + 1e-5 * n**2)} for n in SIZES}

    assert growth().rows(taken)[0].ok is True, "2 s are most of it up to 100"
    steep = {n: {"ours": series(2.0 + 1e-4 * n**2)} for n in SIZES}
    assert growth().rows(steep)[0].ok is False


def test_every_round_has_its_own_exponent() -> None:
    by_size: dict[int, Series] = {10: series(1, 1), 100: series(1, 10)}

    assert exponents(by_size).values == pytest.approx((0.0, 1.0))


def test_steps_of_one_name_are_added_up() -> None:
    output = "build 0.5\nnoise 3 x\nup 2.0\nhealth 0.1\nhealth 0.25\n"

    assert steps_of(output) == {"build": 0.5, "pulumi up": 2.0, "health": pytest.approx(0.35)}


def test_a_part_that_a_run_lacks_took_it_no_time() -> None:
    assert medians([{"a": 1.0, "b": 3.0}, {"a": 2.0}, {"a": 9.0}]) == {"a": 2.0, "b": 0.0}


def test_deploys_become_rows_of_wall_own_part_memory_and_start() -> None:
    told = {name: Told() for name in ("bare", "proven", "local", "prefect")}
    times = {"intervals": [("builder.build", 0, 4), ("source.fetch", 4, 5)], "peak": 120.0}
    for name in ("local", "prefect"):
        told[name].add(9.0, times)
    told["prefect"].waits.append(Sample(2.5))
    taken = {"bare": series(5), "proven": series(8), "local": series(9), "prefect": series(9)}

    made = {each.id: each for each in rows(taken, told)}

    assert made["P9-local"].ok is False  # 9 is more than 1.1 times 8
    assert made["P9-local-own"].ours.values == (2.0,)  # neither the build nor the soak of 3
    assert made["P9-local-own"].ok is True
    assert made["P9-local"].parts["own: source"] == 1.0
    assert made["P9-prefect-memory"].ours.median == 120.0
    assert made["P9-start"].ours.median == 2.5
    assert made["P9-start"].ok is None


def test_the_script_by_hand_refuses_any_other_variant() -> None:
    environment = {"PATH": "/usr/bin:/bin", "REPOSITORY": "r", "KEY": "k"}

    done = subprocess.run(
        [SCRIPT, "quick", "/nowhere", "c" * 40], env=environment, capture_output=True, check=False
    )

    assert done.returncode == 1
    assert b"bare or proven, not quick" in done.stderr

"""The rows: whether a promise holds is decided by what was measured, and nothing is trimmed."""

import json
from pathlib import Path

from benchmarks.machine import Before, Conditions, busy_share
from benchmarks.rows import AtMost, Row, read, unmeasured, write
from benchmarks.samples import Sample, Series, series
from benchmarks.table import results_table

CONDITIONS = Conditions("2026-01-05T09:00:00+00:00", 2, 16, "3.11.7", 0.1, 0.5, 0.7, "0123456789ab")
KEYS = ["id", "what", "ours", "peer", "limit", "ratio", "promise", "ok"]


def row(
    ours: Series,
    promise: AtMost | None = None,
    peer: Series | None = None,
    limit: Series | None = None,
) -> Row:
    return Row("X1", "do it", "s", ours, peer, limit, promise)


def test_a_promise_against_the_peer_holds_up_to_its_bound() -> None:
    promise = AtMost(1.10, "peer")

    assert row(series(1.1), promise, peer=series(1.0)).ok is True
    assert row(series(1.11), promise, peer=series(1.0)).ok is False


def test_a_promise_against_the_limit_does_not_look_at_the_peer() -> None:
    measured = row(series(3.0), AtMost(2.0, "limit"), peer=series(9.0), limit=series(1.0))

    assert measured.ok is False


def test_a_promise_in_the_unit_of_the_row_looks_at_the_median() -> None:
    assert row(series(1.9, 2.0, 7.0), AtMost(2.0)).ok is True
    assert row(series(1.9, 2.1, 7.0), AtMost(2.0)).ok is False


def test_what_was_not_measured_does_not_hold() -> None:
    assert row(series(1.0), AtMost(1.1, "peer")).ok is False
    assert row(Series((Sample(3.0, at_least=True),)), AtMost(5.0)).ok is False


def test_a_row_without_a_promise_is_neither() -> None:
    assert row(series(1.0), peer=series(2.0)).ok is None


def test_the_ratio_is_to_the_peer_and_without_one_to_the_limit() -> None:
    assert row(series(1.0), peer=series(2.0), limit=series(4.0)).ratio == 0.5
    assert row(series(1.0), limit=series(4.0)).ratio == 0.25
    assert row(series(1.0)).ratio is None


def test_a_record_begins_with_the_keys_of_the_table_and_holds_what_was_measured() -> None:
    ours = Series(tuple(Sample(value, cpu=value / 2) for value in (1.0, 3.0, 2.00004, 9.0, 0.5)))
    measured = row(ours, AtMost(1.10, "peer"), peer=series(2, 2, 2, 2, 2))

    record = measured.record(CONDITIONS)

    assert list(record)[:8] == KEYS
    assert (record["ours"], record["peer"], record["limit"]) == (2.0, 2.0, None)
    assert record["promise"] == "≤ 1.10 × peer"  # noqa: RUF001 - times
    assert record["ok"] is True
    assert record["spread"] == {"ours": [0.5, 9.0], "peer": [2.0, 2.0]}
    assert record["cpu"] == {"ours": 1.0}
    assert record["conditions"]["busy_before"] == 0.1
    assert json.loads(json.dumps(record)) == record


def test_a_promise_that_is_broken_is_recorded_as_such() -> None:
    record = row(series(*[3.0] * 5), AtMost(2.0)).record(CONDITIONS)

    assert record["promise"] == "≤ 2 s"
    assert record["ok"] is False


def test_too_few_rounds_are_said_beside_the_row() -> None:
    assert row(series(1.0)).record(CONDITIONS)["note"] == "only 1 round"
    assert row(series(*[1.0] * 5)).record(CONDITIONS)["note"] == ""


def test_a_new_measurement_replaces_its_row_and_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write([{"id": "x", "ours": 0}], "another", path)
    write([{"id": "a", "ours": 1}, {"id": "b", "ours": 2}], "some", path)

    written = write([{"id": "b", "ours": 3}, {"id": "c", "ours": 4}], "some", path)

    assert [(each["id"], each["ours"]) for each in written] == [("x", 0), ("b", 3), ("c", 4)]
    assert read(path) == written


def test_a_benchmark_that_failed_has_a_row_of_its_own_instead_of_those_from_before(
    tmp_path: Path,
) -> None:
    path = tmp_path / "results.json"
    write([row(series(1.0)).record(CONDITIONS)], "some", path)

    [failed] = write([unmeasured("some", RuntimeError("canary"), CONDITIONS)], "some", path)

    assert (failed["id"], failed["ok"], failed["ours"]) == ("some", False, None)
    shown = list(results_table([failed]))[-1]
    assert "not measured: RuntimeError" in shown
    assert "does not hold" in shown


def test_what_others_use_of_the_machine_is_their_share_of_all_ticks() -> None:
    assert busy_share((100, 900), (175, 925)) == 0.75
    assert busy_share((1, 1), (1, 1)) == 0.0


def test_the_conditions_have_the_load_from_before() -> None:
    conditions = Before(busy=0.257, load=1.234).after()

    assert (conditions.busy_before, conditions.load_before) == (0.26, 1.23)
    assert conditions.cores >= 1

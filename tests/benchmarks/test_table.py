"""The page: its tables say what results.json holds, and nothing else of it is touched."""

from benchmarks.rows import AtMost, Record, Row, read
from benchmarks.samples import Sample, Series, series
from benchmarks.table import PAGE, conditions_line, cpu_table, filled, parts_table, results_table
from tests.benchmarks.test_rows import CONDITIONS

EMPTY = """# Figures
before
<!-- results: written by make bench -->
an older table
<!-- end -->
after
"""


def record(**changes: object) -> Record:
    ours, peer = series(1, 2, 1, 1, 1), series(4, 4, 4, 4, 4)
    made = Row("P8-x", "publish", "s", ours, peer, None, AtMost(1.1, "peer"))
    return {**made.record(CONDITIONS), **changes}


def test_the_page_says_what_results_json_holds() -> None:
    page = PAGE.read_text()

    assert filled(page, read()) == page, "python -m benchmarks --table writes it anew"


def test_only_the_marked_part_of_the_page_is_written() -> None:
    page = filled(EMPTY, [record()])

    assert page.startswith("# Figures\nbefore\n<!-- results: written by make bench -->\n")
    assert page.endswith("\n<!-- end -->\nafter\n")
    assert "older" not in page
    assert "publish, s" in page
    assert filled(page, [record()]) == page


def test_a_row_shows_medians_with_spread_ratio_promise_and_verdict() -> None:
    line = list(results_table([record()]))[-1]

    assert line == (
        "| P8-x | publish, s | 1 (1 to 2) | 4 |  | 0.25 | ≤ 1.10 × peer | holds |"  # noqa: RUF001 - times
    )


def test_a_broken_promise_is_shown_as_such() -> None:
    assert list(results_table([record(ok=False)]))[-1].endswith("| **does not hold** |")
    assert list(results_table([record(ok=None, promise=None)]))[-1].endswith("|  | reported |")


def test_what_nobody_waited_for_is_shown_as_more_and_the_ratio_as_less() -> None:
    cut = Series(tuple(Sample(30.0, at_least=True) for _ in range(5)))
    made = Row("V1", "notice", "s", series(*[1.0] * 5), cut).record(CONDITIONS)

    line = list(results_table([made]))[-1]
    assert "| > 30 |" in line
    assert "| < 0.0333 |" in line


def test_parts_stand_side_by_side_and_a_part_that_a_row_lacks_is_empty() -> None:
    local, run = record(id="a", parts={"build": 1.0, "own": 0.5}), record(id="b", parts={"own": 2})

    lines = list(parts_table([record(), local, run]))

    assert lines[0] == "| part | a, s | b, s |"
    assert lines[2:] == ["| build | 1.00 |  |", "| own | 0.50 | 2.00 |"]


def test_processor_time_is_told_where_it_was_measured() -> None:
    lines = list(cpu_table([record(), record(id="b", cpu={"ours": 0.25})]))

    assert lines[2:] == ["| b | 1, 0.25 |  |  |"]


def test_the_load_is_told_in_a_sentence() -> None:
    said = conditions_line([record()])

    assert "2 cores with 16 GiB" in said
    assert "The processors were 10% to 10% busy" in said
    assert said.endswith("All at commit 0123456789ab.")
    assert conditions_line([]) == "Nothing has been measured yet."

"""What stalled senders cost is held to the same without them."""

from benchmarks.samples import series
from benchmarks.stalled import rows_of


def test_a_p99_that_stalled_senders_raise_and_a_close_that_takes_too_long_do_not_hold() -> None:
    good = rows_of(series(5.0), series(4.0), series(8.2))
    bad = rows_of(series(9.0), series(4.0), series(12.0))

    assert [each.ok for each in good] == [True, True]
    assert [each.ok for each in bad] == [False, False]

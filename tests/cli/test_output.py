"""What people read on a terminal is one line a thing, whatever its words came from."""

import logging

import pytest

from slipway.cli.output import OneLine, print_table


def test_a_row_of_a_table_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("commit", "subject"), [("1111111", "add\nit \x1b[2J\x9b31m"), ("2\r", "next")])

    lines = capsys.readouterr().out.split("\n")

    assert lines == [
        "commit   subject",
        "1111111  add\\nit \\x1b[2J\\x9b31m",
        "2\\r      next",
        "",
    ]


def test_a_message_is_one_line_of_the_log_and_a_traceback_stays_readable() -> None:
    defect = ValueError("a defect")
    where = (ValueError, defect, defect.__traceback__)
    record = logging.LogRecord("n", 20, __file__, 1, "ended: %s", ("bad\n name\x9b1m",), where)

    lines = OneLine("%(levelname)s %(message)s").format(record).split("\n")

    assert lines == ["INFO ended: bad\\n name\\x9b1m", "ValueError: a defect"]

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


@pytest.mark.parametrize(
    ("room", "lines"),
    [
        (
            80,
            [
                "target   why",
                "adapter  it would be refused, for the image is gone from the registry",
            ],
        ),
        (
            40,
            [
                "target   why",
                "adapter  it would be refused, for the",
                "         image is gone from the registry",
            ],
        ),
        (
            26,
            [
                "target   why",
                "adapter",
                "    it would be refused,",
                "    for the image is gone",
                "    from the registry",
            ],
        ),
    ],
)
def test_on_a_terminal_of_any_width_nothing_is_cut_of_a_table_that_people_need_whole(
    room: int,
    lines: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(room))

    why = "it would be refused, for the image is gone from the registry"
    print_table(("target", "why"), [("adapter", why)], whole=True)

    assert [
        each.removeprefix("\x1b[1m").removesuffix("\x1b[0m")
        for each in (capsys.readouterr().out.splitlines())
    ] == lines


def test_a_message_is_one_line_of_the_log_and_a_traceback_stays_readable() -> None:
    defect = ValueError("a defect")
    where = (ValueError, defect, defect.__traceback__)
    record = logging.LogRecord("n", 20, __file__, 1, "ended: %s", ("bad\n name\x9b1m",), where)

    lines = OneLine("%(levelname)s %(message)s").format(record).split("\n")

    assert lines == ["INFO ended: bad\\n name\\x9b1m", "ValueError: a defect"]

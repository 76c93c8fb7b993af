"""Whatever a file or a branch is called, people are shown one line of it, and it can be kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.delivery import Delivery, Ending, Outcome
from slipway.domain.shown import one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("unchanged: adapter/main.py, größe.txt", "unchanged: adapter/main.py, größe.txt"),
        ("bad\n name", "bad\\n name"),
        ("x\x1b[31mred", "x\\x1b[31mred"),
        ("x\x9b31mred", "x\\x9b31mred"),
        ("a\u2028b\u202ec", "a\\u2028b\\u202ec"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_can_not_be_printed_is_shown_by_its_escape(text: str, shown: str) -> None:
    assert one_line(text) == shown


@given(st.text(st.characters()))
def test_any_text_becomes_one_line_that_can_be_printed_and_kept(text: str) -> None:
    shown = one_line(text)

    assert shown.isprintable()
    assert shown.encode().decode() == shown
    assert one_line(shown) == shown


def test_the_reasons_of_a_delivery_are_one_line() -> None:
    ending = Ending(Outcome.UNCHANGED, "unchanged: adapter/bad\n name")
    ignored = Delivery(
        "id", "digest", "push", "acme/shop", "ada", ignored="branch x\x9b31m is none"
    )

    assert ending.reason == "unchanged: adapter/bad\\n name"
    assert ignored.ignored == "branch x\\x9b31m is none"

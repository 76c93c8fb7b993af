"""A commit is 40 lower-case hex characters; nothing else passes for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.commit import Commit, CommitPrefix, parse_commit
from slipway.errors import InvalidInput

HEX = "0123456789abcdef"


@given(st.text(HEX, min_size=40, max_size=40))
def test_forty_hex_characters_are_a_commit(text: str) -> None:
    assert parse_commit(text) == Commit(text)


@given(st.text(HEX, min_size=7, max_size=39))
def test_seven_to_thirty_nine_are_a_prefix_that_git_must_resolve(text: str) -> None:
    assert parse_commit(text) == CommitPrefix(text)


@given(st.text().filter(lambda text: not (7 <= len(text) <= 40 and set(text) <= set(HEX))))
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_commit(text)


@pytest.mark.parametrize("text", ["a" * 40 + "\n", "\n" + "a" * 40, "a" * 39 + "\n", "A" * 40])
def test_white_space_and_upper_case_never_slip_into_a_commit(text: str) -> None:
    with pytest.raises(InvalidInput):
        Commit(text)


def test_a_refusal_shows_only_the_beginning_of_what_was_typed() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_commit("x" * 10_000)

    assert len(str(caught.value)) < 300
    assert "10000 characters" in str(caught.value)

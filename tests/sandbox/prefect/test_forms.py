"""The search for secrets knows every form in which programs write them."""

import base64
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sandbox.prefect.canaries import search

SECRET = "s3cret/with+every=kind of character: ü"


@pytest.mark.parametrize(
    "written",
    [
        SECRET.encode(),
        urllib.parse.quote(SECRET, safe="").encode(),
        json.dumps({"token": SECRET}).encode(),
        SECRET.encode().hex().encode(),
    ],
)
def test_a_secret_is_found_as_it_is_written(written: bytes) -> None:
    found, looked = search({"it": SECRET}, [("there", b"before " + written + b" after")])

    assert [(each.place, each.secret) for each in found] == [("there", "it")]
    assert looked == {"there"}


@given(before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_a_secret_inside_base64_is_found_wherever_it_begins(before: bytes, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found, _ = search({"it": SECRET}, [("there", encode(before + SECRET.encode() + after))])

        assert found


def test_what_is_not_there_is_not_found() -> None:
    assert search({"it": SECRET}, [("there", SECRET[:-1].encode())])[0] == []

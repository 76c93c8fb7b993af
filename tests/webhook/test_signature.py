"""Only bytes that one of the secrets has signed are ever read."""

import pytest
from pydantic import SecretStr

from slipway.webhook.signature import HEADER, claimed, is_valid
from tests.fakes.inbox import MemoryInbox
from tests.webhook.requests import OLD_SECRET, ask, headers, receiver, signature

GITHUBS_SECRET = SecretStr("It's a Secret to Everybody")
GITHUBS_SIGNATURE = b"757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
"""From GitHub's documentation, "Validating webhook deliveries"."""
BODY = b'{"zen": "Keep it logically awesome."}'
SHA1 = b"sha1=" + b"0" * 40


def test_githubs_own_example_is_valid() -> None:
    signature = claimed(b"sha256=" + GITHUBS_SIGNATURE)

    assert signature == GITHUBS_SIGNATURE
    assert is_valid(signature, b"Hello, World!", [GITHUBS_SECRET])


def test_no_single_bit_of_body_or_signature_may_differ() -> None:
    body = b"Hello, World!"
    for flipped in _flips(body):
        assert not is_valid(GITHUBS_SIGNATURE, flipped, [GITHUBS_SECRET])
    for flipped in _flips(GITHUBS_SIGNATURE):
        assert not is_valid(flipped, body, [GITHUBS_SECRET])


@pytest.mark.parametrize(
    "value",
    [
        None,
        SHA1,
        b"",
        b"sha256=",
        GITHUBS_SIGNATURE,
        b"sha256=" + GITHUBS_SIGNATURE.upper(),
        b"sha256=" + GITHUBS_SIGNATURE + b"\n",
        b"sha256=" + GITHUBS_SIGNATURE[:-1],
        b"sha256=" + "é".encode() * 32,
    ],
)
def test_anything_but_a_signature_of_its_form_is_none(value: bytes | None) -> None:
    assert claimed(value) is None


@pytest.mark.parametrize(
    "changed",
    [
        {b"x-hub-signature-256": b""},
        {b"x-hub-signature-256": b"sha256=" + b"0" * 64},
        {b"x-hub-signature-256": signature(BODY, "somebody else's secret")},
        {b"x-hub-signature-256": b"", b"x-hub-signature": SHA1},
    ],
)
async def test_what_is_not_signed_is_401_and_leaves_no_trace(changed: dict[bytes, bytes]) -> None:
    inbox = MemoryInbox()

    status, answer, _ = await ask(
        receiver(inbox), "POST", "/github", {**headers(BODY), **changed}.items(), [BODY]
    )

    assert (status, list(answer)) == (401, ["error"])
    assert inbox.kept == []


@pytest.mark.parametrize("times", [2, 3])
async def test_several_signature_headers_are_401_even_if_all_are_right(times: int) -> None:
    sent = [*headers(BODY).items(), *[(HEADER, signature(BODY))] * (times - 1)]

    status, _, _ = await ask(receiver(), "POST", "/github", sent, [BODY])

    assert status == 401


async def test_while_the_secret_is_changed_the_old_one_is_good_too() -> None:
    sent = {**headers(BODY, event="ping"), HEADER: signature(BODY, OLD_SECRET)}

    status, _, _ = await ask(receiver(), "POST", "/github", sent.items(), [BODY])

    assert status == 200


async def test_unsigned_bytes_are_not_parsed() -> None:
    """A parser's error would answer 400 and tell that it was asked."""
    sent = {**headers(b"{"), HEADER: b"sha256=" + b"0" * 64}

    status, _, _ = await ask(receiver(), "POST", "/github", sent.items(), [b"{"])

    assert status == 401


def _flips(text: bytes) -> list[bytes]:
    return [
        bytes([*text[:place], text[place] ^ (1 << bit), *text[place + 1 :]])
        for place in range(len(text))
        for bit in range(8)
    ]

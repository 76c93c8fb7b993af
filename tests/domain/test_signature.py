"""A key vouches for a digest by its own signature over a payload about it, and by no other."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from slipway.domain.image import Digest
from slipway.domain.signature import SignedPayload, require_key, signature_tag, vouches
from slipway.errors import InvalidInput
from tests.signing import Signer

ONE, OTHER = Digest(f"sha256:{'1' * 64}"), Digest(f"sha256:{'2' * 64}")


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


def test_a_key_vouches_for_what_its_owner_signed(signer: Signer) -> None:
    assert vouches(signer.public, signer.sign(ONE), ONE)


def test_a_signature_of_another_image_vouches_for_nothing(signer: Signer) -> None:
    assert not vouches(signer.public, signer.sign(OTHER), ONE)


def test_a_signature_by_another_key_vouches_for_nothing(signer: Signer) -> None:
    assert not vouches(signer.public, Signer().sign(ONE), ONE)


def test_a_payload_that_was_changed_after_it_was_signed_vouches_for_nothing(
    signer: Signer,
) -> None:
    signed = signer.sign(OTHER)
    changed = signed.payload.replace(str(OTHER).encode(), str(ONE).encode())

    assert not vouches(signer.public, replace(signed, payload=changed), ONE)


@pytest.mark.parametrize("payload", [b"", b"[]", b'"x"', b'{"critical": []}', b"\xff"])
def test_what_is_no_payload_vouches_for_nothing(signer: Signer, payload: bytes) -> None:
    assert not vouches(signer.public, SignedPayload(payload, b""), ONE)


def test_a_statement_of_another_kind_vouches_for_nothing(signer: Signer) -> None:
    signed = signer.sign(ONE)
    other = signed.payload.replace(b"image signature", b"image rejection")

    assert not vouches(signer.public, replace(signed, payload=other), ONE)


def test_the_tag_is_where_cosign_puts_it() -> None:
    assert signature_tag(ONE) == f"sha256-{'1' * 64}.sig"


def test_a_key_of_another_kind_is_refused_with_what_to_give() -> None:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    for wrong in (pem, "cosign.pub"):
        with pytest.raises(InvalidInput, match=r"signed_by holds .*cosign generate-key-pair"):
            require_key(wrong)

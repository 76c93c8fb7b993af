"""Signatures of images, as cosign leaves them, and whether the owner of a key vouches for a digest.

The payload is the "simple signing" document that containers/image describes; `cosign sign` keeps
it beside the image under the tag `sha256-….sig`, its signature in an annotation.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slipway.domain.image import Digest
from slipway.errors import InvalidInput

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

KIND = "cosign container image signature"


@dataclass(frozen=True, slots=True)
class SignedPayload:
    """What somebody has signed, and the signature (ECDSA with SHA-256, DER)."""

    payload: bytes
    signature: bytes


def signature_tag(digest: Digest) -> str:
    """The tag under which cosign keeps an image's signatures."""
    return f"{digest.value.replace(':', '-')}.sig"


def require_key(pem: str) -> None:
    """Refuse what is no public key that cosign makes."""
    _read_key(pem)


def vouches(pem: str, signed: SignedPayload, digest: Digest) -> bool:
    """Whether the key's owner has signed this payload, and the payload is about this digest."""
    return _named_digest(signed.payload) == str(digest) and _is_signed(pem, signed)


def _is_signed(pem: str, signed: SignedPayload) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - only with a key: 15 MiB
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA  # noqa: PLC0415 - likewise
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - likewise

    try:
        _read_key(pem).verify(signed.signature, signed.payload, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _read_key(pem: str) -> "EllipticCurvePublicKey":
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - likewise
    from cryptography.hazmat.primitives.asymmetric.ec import (  # noqa: PLC0415 - likewise
        EllipticCurvePublicKey,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - likewise
        load_pem_public_key,
    )

    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInput(
            "signed_by holds no public key in PEM: give the text of the cosign.pub that `cosign "
            "generate-key-pair` has made"
        ) from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise InvalidInput(
            f"signed_by holds a key of another kind ({type(key).__name__}): give the text of the "
            "cosign.pub that `cosign generate-key-pair` has made"
        )
    return key


def _named_digest(payload: bytes) -> str | None:
    """The digest that a payload is about; None for what is no such payload."""
    try:
        critical = json.loads(payload)["critical"]
        kind, named = critical["type"], critical["image"]["docker-manifest-digest"]
    except (ValueError, KeyError, TypeError):
        return None
    return str(named) if kind == KIND else None

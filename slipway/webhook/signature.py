"""Who sent these bytes: HMAC-SHA256 over the raw body, before anything reads it."""

import hmac
import re
from collections.abc import Sequence

from pydantic import SecretStr

HEADER = b"x-hub-signature-256"
"""GitHub's older `X-Hub-Signature` is SHA-1 and is never looked at."""
_FORM = re.compile(rb"sha256=([0-9a-f]{64})")


def claimed(value: bytes | None) -> bytes | None:
    """The signature that the header claims; None when there is none of its form."""
    found = None if value is None else _FORM.fullmatch(value)
    return found[1] if found else None


def is_valid(signature: bytes, body: bytes, secrets: Sequence[SecretStr]) -> bool:
    """Whether one of the secrets signed the body. Every secret is tried, in constant time."""
    matches = [hmac.compare_digest(_signed(each, body), signature) for each in secrets]
    return any(matches)


def _signed(secret: SecretStr, body: bytes) -> bytes:
    return hmac.digest(secret.get_secret_value().encode(), body, "sha256").hex().encode()

"""Encryption with one key that lives in the state folder (AES-256-GCM)."""

import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sandbox.pulumi_cloud import files
from sandbox.pulumi_cloud.errors import bad_request

NONCE_BYTES = 12


class Vault:
    """Encrypts for a purpose; what was encrypted for one purpose cannot be read for another."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def in_folder(cls, folder: Path) -> "Vault":
        """The vault of a state folder; its key is made at first use."""
        path = folder / "key"
        if not path.exists():
            files.write_bytes(path, secrets.token_bytes(32))
        return cls(path.read_bytes())

    def encrypt(self, plaintext: bytes, purpose: str) -> bytes:
        """Nonce and ciphertext; different each time."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, purpose.encode())

    def decrypt(self, ciphertext: bytes, purpose: str) -> bytes:
        """What was encrypted for this purpose; anything else is refused."""
        nonce, rest = ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, rest, purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise bad_request(f"the ciphertext was not made here for {purpose}") from error

"""The issuer's key, and the certificate by which the registry knows its tokens."""

import base64
import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

KEY_FILE = "token.key"
CERTIFICATE_FILE = "token.crt"
ISSUER = "slipway-sandbox"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key in PEM, and its certificate as JWT's `x5c` header wants it."""

    private: bytes
    x5c: tuple[str, ...]


def make_key(folder: Path) -> None:
    """Write key and self-signed certificate, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / CERTIFICATE_FILE).exists():
        return
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / KEY_FILE).touch(mode=0o600)
    (folder / KEY_FILE).write_bytes(private)
    (folder / CERTIFICATE_FILE).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def load_key(folder: Path) -> SigningKey:
    """Read what `make_key` wrote."""
    certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE_FILE).read_bytes())
    der = certificate.public_bytes(serialization.Encoding.DER)
    return SigningKey((folder / KEY_FILE).read_bytes(), (base64.b64encode(der).decode(),))

"""Signs as `cosign sign --key` does: the same payload, the same signature, the same manifest."""

import base64
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from slipway.domain.image import Digest
from slipway.domain.signature import SignedPayload

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"


class Signer:
    """Somebody with a key pair."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public(self) -> str:
        """The text of their cosign.pub."""
        form = PublicFormat.SubjectPublicKeyInfo
        return self._key.public_key().public_bytes(Encoding.PEM, form).decode()

    def sign(self, digest: Digest, repository: str = "ghcr.io/acme/shop/adapter") -> SignedPayload:
        """Sign a digest."""
        payload = simple_signing(digest, repository)
        return SignedPayload(payload, self._key.sign(payload, ec.ECDSA(SHA256())))


def simple_signing(digest: Digest, repository: str) -> bytes:
    """What is signed."""
    critical = {
        "identity": {"docker-reference": repository},
        "image": {"docker-manifest-digest": str(digest)},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": critical, "optional": None}).encode()


def signature_manifest(*signed: SignedPayload) -> dict[str, object]:
    """The manifest that cosign puts under an image's signature tag."""
    layers = [
        {
            "mediaType": SIMPLE_SIGNING,
            "size": len(each.payload),
            "digest": f"sha256:{hashlib.sha256(each.payload).hexdigest()}",
            "annotations": {
                "dev.cosignproject.cosign/signature": base64.b64encode(each.signature).decode()
            },
        }
        for each in signed
    ]
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2},
        "layers": layers,
    }

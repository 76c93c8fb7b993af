"""Signatures that cosign keeps in a registry: a manifest under the signed digest's own tag."""

import base64
import binascii
from collections.abc import Iterator, Sequence

from slipway.clients.registry_documents import Document, Documents
from slipway.domain.image import Digest, ImageReference
from slipway.domain.signature import SignedPayload, signature_tag

_SIGNATURE = "dev.cosignproject.cosign/signature"
"""Annotation of each layer: the signature of what the layer holds, in base64."""


async def read_signatures(
    documents: Documents, repository: str, digest: Digest
) -> Sequence[SignedPayload]:
    """Everything that somebody has signed of a digest; what can't be read vouches for nothing."""
    reference = ImageReference(repository, signature_tag(digest))
    document = await documents.manifest(reference, signature_tag(digest))
    found = []
    for layer, signature in _layers(document) if document is not None else ():
        payload = await documents.blob(reference, layer)
        found.append(SignedPayload(payload.body if payload is not None else b"", signature))
    return found


def _layers(document: Document) -> Iterator[tuple[Digest, bytes]]:
    for each in document.content.get("layers") or ():
        text = (each.get("annotations") or {}).get(_SIGNATURE, "")
        try:
            yield Digest(str(each["digest"])), base64.b64decode(text, validate=True)
        except binascii.Error:
            yield Digest(str(each["digest"])), b""

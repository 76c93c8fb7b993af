"""What retention asks of a registry: what belongs to a manifest, and its deletion (OCI 1.1)."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from slipway.clients.registry_documents import ask
from slipway.clients.registry_http import LARGEST_BODY
from slipway.clients.registry_session import RegistrySession
from slipway.domain.image import Digest, ImageReference
from slipway.domain.inventory import Contents
from slipway.errors import RegistryUnusable

PULL_AND_DELETE = "pull,delete"
_OF_MANIFESTS = frozenset({"schemaVersion", "mediaType", "manifests", "layers"})
"""No configuration has any of these (OCI image specification 1.1)."""
GONE = frozenset({httpx.codes.OK, httpx.codes.ACCEPTED, httpx.codes.NOT_FOUND})


def contents_of(digest: Digest, content: Mapping[str, Any]) -> Contents:
    """A manifest's children, configuration, subject, and the size of its own parts."""
    config, subject = content.get("config"), content.get("subject")
    layers = content.get("layers") or ()
    own = [config, *layers] if isinstance(config, Mapping) else [*layers]
    return Contents(
        digest,
        tuple(Digest(str(each["digest"])) for each in content.get("manifests") or ()),
        Digest(str(config["digest"])) if isinstance(config, Mapping) else None,
        Digest(str(subject["digest"])) if isinstance(subject, Mapping) else None,
        sum(int(each.get("size", 0)) for each in own),
    )


async def is_only_a_blob(session: RegistrySession, reference: ImageReference) -> bool:
    """Whether the reference's digest is of a configuration or a layer, and of no manifest.

    docker-registry 2.8 answers 500 to whoever asks for one as a manifest. Runtimes name images by
    their configuration, too (kubernetes/kubernetes#115199).
    """
    blob = f"blobs/{reference.digest}"
    if reference.digest is None or (head := await ask(session, "HEAD", reference, blob)) is None:
        return False
    if int(head.headers.get("content-length", 0)) > LARGEST_BODY:
        return True
    answer = await ask(session, "GET", reference, blob)
    return answer is not None and not _may_be_manifest(answer.body)


def _may_be_manifest(body: bytes) -> bool:
    try:
        content = json.loads(body)
    except ValueError:
        return False
    return isinstance(content, Mapping) and not _OF_MANIFESTS.isdisjoint(content)


async def remove(session: RegistrySession, image: ImageReference) -> None:
    """Delete by digest; what is gone already is as it should be."""
    answer = await session.request(
        "DELETE",
        image.host,
        f"/v2/{image.path}/manifests/{image.digest}",
        scope=(image.path, PULL_AND_DELETE),
    )
    if answer.status not in GONE:
        raise RegistryUnusable(
            f"registry {image.host} answered the deletion of {image} with HTTP {answer.status} "
            f"{answer.problem}: allow deletions in the registry's configuration, or prune by its "
            "own means"
        )

"""What retention asks of a registry: what belongs to a manifest, and its deletion (OCI 1.1)."""

from collections.abc import Mapping
from typing import Any

import httpx

from slipway.clients.registry_session import RegistrySession
from slipway.domain.image import Digest, ImageReference
from slipway.domain.retention import Contents
from slipway.errors import RegistryUnusable

PULL_AND_DELETE = "pull,delete"
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

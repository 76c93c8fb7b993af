"""What an image is, read from its documents: platforms, labels, and every digest it goes by."""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from slipway.clients.gathering import gathered
from slipway.clients.registry_documents import Document
from slipway.domain.image import Digest, ImageReference, PublishedImage
from slipway.domain.publication import BUILD_INPUTS_LABEL, REVISION_LABEL, SOURCE_LABEL
from slipway.errors import RegistryUnusable, SlipwayError

log = logging.getLogger(__name__)

_ATTESTATION = "vnd.docker.reference.type"
"""BuildKit's annotation on children of an index that are no images."""
_CREATED_LABEL = "org.opencontainers.image.created"
_FIRST_IMAGES = datetime(2013, 3, 1, tzinfo=UTC)
"""Docker's own beginning: what claims to be older was built without a clock (epoch, 1980)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How an image's further documents are read; each gives None for what is gone."""

    manifest: Callable[[ImageReference, Digest], Awaitable[Document | None]]
    blob: Callable[[ImageReference, Digest], Awaitable[Document | None]]


@dataclass(frozen=True, slots=True)
class _Part:
    """One platform's image."""

    digest: Digest
    config: Digest | None
    platform: str
    labels: Mapping[str, object]
    created: datetime | None = None


async def read_image(
    reading: Reading, reference: ImageReference, document: Document
) -> PublishedImage:
    """The image that a manifest or an index is."""
    named = children(document) if document.is_index else []
    if document.is_index:
        read = await gathered(
            _read_child(reading, reference, digest, platform) for digest, platform in named
        )
        parts = [each for each in read if each is not None]
        gone = {digest for (digest, _), part in zip(named, read, strict=True) if part is None}
    else:
        parts, gone = [await _read_part(reading, reference, document, "")], set()
    accepted = {document.digest, *(digest for digest, _ in named)}
    accepted |= {each.config for each in parts if each.config is not None}
    return PublishedImage(
        reference.repository,
        document.digest,
        frozenset(accepted),
        frozenset(each.platform for each in parts if each.platform),
        _common(parts, REVISION_LABEL),
        _common(parts, SOURCE_LABEL),
        _common(parts, BUILD_INPUTS_LABEL),
        min((each.created for each in parts if each.created is not None), default=None),
        frozenset(gone),
    )


def children(document: Document) -> list[tuple[Digest, str]]:
    """Digest and platform of the images in an index; attestations are none.

    `RegistryUnusable` where it is no index as OCI describes them.
    """
    with _as_described(document):
        return [
            (Digest(str(each["digest"])), _platform(each.get("platform") or {}))
            for each in document.content.get("manifests") or []
            if _ATTESTATION not in (each.get("annotations") or {})
        ]


async def _read_child(
    reading: Reading, reference: ImageReference, digest: Digest, platform: str
) -> _Part | None:
    document = await reading.manifest(reference, digest)
    if document is None:
        log.warning("%s names %s, which the registry does not have", reference, digest)
        return None
    return await _read_part(reading, reference, document, platform)


async def _read_part(
    reading: Reading, reference: ImageReference, document: Document, platform: str
) -> _Part:
    config = document.content.get("config")
    if not isinstance(config, Mapping) or "digest" not in config:
        return _Part(document.digest, None, platform, {})
    digest = Digest(str(config["digest"]))
    found = await reading.blob(reference, digest)
    if found is None:
        return _Part(document.digest, digest, "", {})
    with _as_described(found):
        labels = (found.content.get("config") or {}).get("Labels") or {}
        created = _moment(found.content.get("created")) or _moment(labels.get(_CREATED_LABEL))
        its = platform or _platform(found.content)
        return _Part(document.digest, digest, its, labels, created)


@contextlib.contextmanager
def _as_described(document: Document) -> Iterator[None]:
    """Anybody may push anything that is JSON: what is none of OCI's documents is told as such."""
    try:
        yield
    except SlipwayError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RegistryUnusable(
            f"{document.digest} is no document of an image as OCI describes them "
            f"({type(error).__name__}: {error}): see who has pushed it, and push the image again"
        ) from error


def _moment(text: object) -> datetime | None:
    """When something was built; None where nothing is said, or what no clock can have said."""
    try:
        said = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if said is None:
        return None
    said = said if said.tzinfo is not None else said.replace(tzinfo=UTC)
    return said if said >= _FIRST_IMAGES else None


def _platform(holder: Mapping[str, Any]) -> str:
    """`os/architecture`; empty where either is not told (`unknown` is BuildKit's word for it)."""
    system, architecture = str(holder.get("os", "")), str(holder.get("architecture", ""))
    if "unknown" in {system, architecture} or not (system and architecture):
        return ""
    return f"{system}/{architecture}"


def _common(parts: Iterable[_Part], label: str) -> str | None:
    """A label that all parts have in common."""
    values = {value for each in parts if isinstance(value := each.labels.get(label), str | None)}
    return values.pop() if len(values) == 1 else None

"""Documents of an OCI registry: manifests, indices and configurations, checked byte by byte."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from slipway.clients.kept_documents import KeptDocuments
from slipway.clients.registry_http import Answer, digest_of
from slipway.clients.registry_session import RegistrySession
from slipway.domain.image import Digest, ImageReference
from slipway.errors import RegistryUnusable, Unreachable

PULL = "pull"

_INDEX_TYPES = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
}


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest, an index or a configuration, as the registry holds it."""

    digest: Digest
    media_type: str
    """What it was sent as; empty when it was kept here."""
    body: bytes
    content: Mapping[str, Any]

    @property
    def is_index(self) -> bool:
        """By its type, or by its shape where the type is left out (it is optional in OCI)."""
        named = self.content.get("mediaType") or self.media_type
        return named in _INDEX_TYPES or "manifests" in self.content


@dataclass(slots=True)
class Documents:
    """What a registry holds, asked for; what is kept of it is not asked for again.

    `kept` answers for what a document says, never for whether the registry still has it.
    """

    session: RegistrySession
    kept: KeptDocuments | None = None

    async def manifest(self, reference: ImageReference, name: Digest | str) -> Document | None:
        """What the registry sends for a digest or a tag; None where nothing is."""
        answer = await ask(self.session, "GET", reference, f"manifests/{name}")
        if answer is None:
            return None
        wanted = name if isinstance(name, Digest) else answer.digest
        return self._checked(reference, answer, wanted)

    async def known_manifest(self, reference: ImageReference, digest: Digest) -> Document | None:
        """A manifest that the registry has just said it has."""
        return self._kept(digest) or await self.manifest(reference, digest)

    async def child(self, reference: ImageReference, digest: Digest) -> Document | None:
        """A manifest that an index names; None where the registry does not have it (any more)."""
        kept = self._kept(digest)
        if kept is None:
            return await self.manifest(reference, digest)
        return kept if await ask(self.session, "HEAD", reference, f"manifests/{digest}") else None

    async def blob(self, reference: ImageReference, digest: Digest) -> Document | None:
        """A small blob that is JSON, such as a configuration; None where it is gone."""
        if (kept := self._kept(digest)) is not None:
            return kept
        answer = await ask(self.session, "GET", reference, f"blobs/{digest}")
        return None if answer is None else self._checked(reference, answer, digest)

    def _kept(self, digest: Digest) -> Document | None:
        body = self.kept.read(digest) if self.kept is not None else None
        return None if body is None else Document(digest, "", body, json.loads(body))

    def _checked(
        self, reference: ImageReference, answer: Answer, wanted: Digest | None
    ) -> Document:
        found = digest_of(answer.body)
        if wanted is not None and found != wanted:
            raise Unreachable(
                f"what {reference.host} sent for {reference} is {found}, not {wanted}: damaged on "
                "the way; try again, and check the registry and any proxy before it if it stays"
            )
        document = Document(found, answer.media_type, answer.body, json_of(reference, answer))
        if self.kept is not None:
            self.kept.keep(found, answer.body)
        return document


async def ask(
    session: RegistrySession, method: str, reference: ImageReference, what: str
) -> Answer | None:
    """A reading request below the repository; None for 404."""
    answer = await session.request(
        method,
        reference.host,
        f"/v2/{reference.path}/{what}",
        scope=(reference.path, PULL),
    )
    if answer.status == httpx.codes.NOT_FOUND:
        return None
    if answer.status != httpx.codes.OK:
        raise RegistryUnusable(
            f"registry {reference.host} answered {method} {reference} with HTTP "
            f"{answer.status} {answer.problem}: check that it is an OCI registry"
        )
    return answer


def json_of(reference: ImageReference, answer: Answer) -> Mapping[str, Any]:
    """The object in an answer's body."""
    try:
        content = json.loads(answer.body)
    except ValueError:
        content = None
    if not isinstance(content, Mapping):
        raise RegistryUnusable(
            f"registry {reference.host} sent something else than JSON for {reference} (HTTP "
            f"{answer.status}): check that it is an OCI registry"
        )
    return content

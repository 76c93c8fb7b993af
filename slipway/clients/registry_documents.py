"""Documents of an OCI registry: manifests, indices and configurations, checked byte by byte."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from slipway.clients.kept_documents import KeptDocuments
from slipway.clients.registry_http import Answer, digest_of, next_page
from slipway.clients.registry_session import RegistrySession
from slipway.domain.image import Digest, ImageReference
from slipway.errors import RegistryUnusable, Unreachable

PULL = "pull"
MOST_PAGES = 1000

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


async def list_pages(
    session: RegistrySession, reference: ImageReference, what: str, key: str
) -> AsyncIterator[Any]:
    """Everything in a list below the repository, page by page; nothing for 404 to the first.

    A page that can't be read, or is no page, ends it with an error: never a part for the whole.
    """
    path = f"/v2/{reference.path}/{what}"
    for number in range(MOST_PAGES):
        answer = await session.request("GET", reference.host, path, scope=(reference.path, PULL))
        if answer.status == httpx.codes.NOT_FOUND and number == 0:
            return
        content = json_of(reference, answer)
        if answer.status != httpx.codes.OK or key not in content:
            raise RegistryUnusable(
                f"registry {reference.host} answered GET {path} with HTTP {answer.status} "
                f"{answer.problem} and no {key}: check that it is an OCI registry"
            )
        for each in content[key] or ():
            yield each
        further = next_page(answer, session.address(reference.host, path))
        if further is None:
            return
        path = further
    raise RegistryUnusable(
        f"the list {what} of {reference} has no end after {MOST_PAGES} pages: check the registry"
    )


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

"""The OCI registry: what it holds under a name, by digest, read and checked byte by byte."""

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from slipway.clients.registry_http import Answer, digest_of, next_page
from slipway.clients.registry_prune import contents_of, remove
from slipway.clients.registry_push import PULL_AND_PUSH, require_push
from slipway.clients.registry_session import RegistrySession
from slipway.domain.image import Digest, ImageReference, PublishedImage
from slipway.domain.publication import BUILD_INPUTS_LABEL, REVISION_LABEL, SOURCE_LABEL
from slipway.domain.retention import Contents
from slipway.errors import ImageMissing, PushFailed, RegistryUnusable, Unreachable
from slipway.ports import PullCredentials

log = logging.getLogger(__name__)

PULL = "pull"
REMEMBERED_IMAGES = 4096
"""An image never changes under its digest, so what was read of it once stays true."""
MOST_PAGES = 1000

_INDEX_TYPES = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
}
_ATTESTATION = "vnd.docker.reference.type"
"""BuildKit's annotation on children of an index that are no images."""


@dataclass(frozen=True, slots=True)
class _Document:
    """A manifest or an index, as the registry holds it."""

    digest: Digest
    media_type: str
    body: bytes
    content: Mapping[str, Any]

    @property
    def is_index(self) -> bool:
        """By its type, or by its shape where the type is left out (it is optional in OCI)."""
        named = self.content.get("mediaType") or self.media_type
        return named in _INDEX_TYPES or "manifests" in self.content


@dataclass(frozen=True, slots=True)
class _Image:
    """One platform's image."""

    digest: Digest
    config: Digest | None
    platform: str
    labels: Mapping[str, str]


@dataclass(slots=True)
class OciRegistry:
    """The `ImageRegistry` port over the OCI distribution API.

    It belongs to one event loop; `close` it, or leave the session's context, when done.
    """

    session: RegistrySession
    _images: OrderedDict[tuple[str, Digest], PublishedImage] = field(
        default_factory=OrderedDict, repr=False
    )

    async def close(self) -> None:
        """Close every connection."""
        await self.session.close()

    async def find(self, reference: ImageReference) -> PublishedImage | None:
        """What the registry holds under the reference's digest, or else its tag, or None."""
        digest = await self.digest(reference)
        if digest is None:
            return None
        known = self._images.get((reference.repository, digest))
        if known is None:
            document = await self._manifest(reference, digest)
            if document is None:
                return None
            known = await self._read_image(reference, document)
            self._remember(known)
        return known

    async def digest(self, reference: ImageReference) -> Digest | None:
        """The digest under a reference, by HEAD: no manifest is downloaded for it."""
        answer = await self._ask("HEAD", reference, f"manifests/{_name(reference)}")
        if answer is None:
            return None
        if answer.digest is not None:
            return answer.digest
        document = await self._manifest(reference, _name(reference))
        return document.digest if document else None

    async def tags(self, repository: str) -> Sequence[str]:
        """Every tag of a repository, in no order; none if the repository does not exist."""
        reference = ImageReference(repository)
        found: list[str] = []
        path = f"/v2/{reference.path}/tags/list?n=1000"
        for _ in range(MOST_PAGES):
            answer = await self.session.request(
                "GET", reference.host, path, scope=(reference.path, PULL)
            )
            if answer.status == httpx.codes.NOT_FOUND:
                return []
            found += _json(reference, answer).get("tags") or []
            further = next_page(answer, self.session.address(reference.host, path))
            if further is None:
                return found
            path = further
        raise RegistryUnusable(
            f"the list of tags of {repository} has no end after {MOST_PAGES} pages: check the "
            "registry"
        )

    async def contents(self, reference: ImageReference) -> Contents | None:
        """See `slipway.ports.ImageRegistry`."""
        document = await self._manifest(reference, _name(reference))
        return None if document is None else contents_of(document.digest, document.content)

    async def referrers(self, repository: str, digest: Digest) -> frozenset[Digest]:
        """See `slipway.ports.ImageRegistry`; an older registry answers 404."""
        reference = ImageReference(repository, digest=digest)
        answer = await self._ask("GET", reference, f"referrers/{digest}")
        listed = _json(reference, answer).get("manifests") if answer is not None else None
        return frozenset(Digest(str(each["digest"])) for each in listed or ())

    async def remove(self, repository: str, digest: Digest) -> None:
        """See `slipway.ports.ImageRegistry`."""
        await remove(self.session, ImageReference(repository, digest=digest))
        self._images.pop((repository, digest), None)

    async def require_push(self, repository: str) -> None:
        """See `slipway.ports.ImageRegistry`."""
        await require_push(self.session, ImageReference(repository))

    async def tag(self, image: PublishedImage, tag: str) -> None:
        """Point `tag` at exactly this image, without a byte of it changing."""
        reference = ImageReference(image.repository, tag, image.digest)
        document = await self._manifest(reference, image.digest)
        if document is None:
            raise ImageMissing(
                f"{image.repository}@{image.digest} is gone, nothing to tag as {tag}: build and "
                "deploy a new commit"
            )
        answer = await self.session.request(
            "PUT",
            reference.host,
            f"/v2/{reference.path}/manifests/{tag}",
            scope=(reference.path, PULL_AND_PUSH),
            headers={"Content-Type": document.media_type},
            content=document.body,
        )
        now = await self.digest(ImageReference(image.repository, tag))
        if answer.status not in {httpx.codes.OK, httpx.codes.CREATED} or now != image.digest:
            raise PushFailed(
                f"{image.repository}:{tag} should be {image.digest}, but the registry answered "
                f"HTTP {answer.status} {answer.problem} and holds {now or 'nothing'} there: look "
                "for another writer of this tag"
            )

    async def probe(self, reference: ImageReference, credentials: PullCredentials | None) -> None:
        """Prove that these credentials (None: nobody's) can pull the image, children too."""
        theirs = replace(credentials, host=reference.host) if credentials else None
        session = RegistrySession(theirs, self.session.plain_http_hosts, self.session.transport)
        async with session:
            await OciRegistry(session).require_whole(reference)

    async def require_whole(self, reference: ImageReference) -> None:
        """Refuse an image whose manifest, or a platform's of it, the registry does not have."""
        document = await self._manifest(reference, _name(reference))
        if document is None:
            raise ImageMissing(
                f"{reference} does not exist in the registry: it was never pushed or was deleted; "
                "deploy a commit whose image exists"
            )
        if not document.is_index:
            return
        for digest, _ in _children(document):
            child = ImageReference(reference.repository, digest=digest)
            if await self.digest(child) is None:
                raise ImageMissing(
                    f"{reference} is an index whose part {digest} is gone from the registry: build "
                    "and deploy a new commit"
                )

    def _remember(self, image: PublishedImage) -> None:
        self._images[image.repository, image.digest] = image
        while len(self._images) > REMEMBERED_IMAGES:
            self._images.popitem(last=False)

    async def _ask(self, method: str, reference: ImageReference, what: str) -> Answer | None:
        """A reading request below the repository; None for 404."""
        answer = await self.session.request(
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

    async def _manifest(self, reference: ImageReference, name: Digest | str) -> _Document | None:
        answer = await self._ask("GET", reference, f"manifests/{name}")
        if answer is None:
            return None
        wanted = name if isinstance(name, Digest) else answer.digest
        digest = _checked(reference, answer.body, wanted)
        return _Document(digest, answer.media_type, answer.body, _json(reference, answer))

    async def _read_image(self, reference: ImageReference, document: _Document) -> PublishedImage:
        children = _children(document) if document.is_index else []
        if document.is_index:
            read = await asyncio.gather(
                *(self._read_child(reference, digest, platform) for digest, platform in children)
            )
            parts = [each for each in read if each is not None]
        else:
            parts = [await self._read_part(reference, document, "")]
        accepted = {document.digest, *(digest for digest, _ in children)}
        accepted |= {each.config for each in parts if each.config is not None}
        return PublishedImage(
            reference.repository,
            document.digest,
            frozenset(accepted),
            frozenset(each.platform for each in parts if each.platform),
            _common(parts, REVISION_LABEL),
            _common(parts, SOURCE_LABEL),
            _common(parts, BUILD_INPUTS_LABEL),
        )

    async def _read_child(
        self, reference: ImageReference, digest: Digest, platform: str
    ) -> _Image | None:
        document = await self._manifest(reference, digest)
        if document is None:
            log.warning("%s names %s, which the registry does not have", reference, digest)
            return None
        return await self._read_part(reference, document, platform)

    async def _read_part(
        self, reference: ImageReference, document: _Document, platform: str
    ) -> _Image:
        config = document.content.get("config")
        if not isinstance(config, Mapping) or "digest" not in config:
            return _Image(document.digest, None, platform, {})
        digest = Digest(str(config["digest"]))
        answer = await self._ask("GET", reference, f"blobs/{digest}")
        if answer is None:
            return _Image(document.digest, digest, "", {})
        _checked(reference, answer.body, digest)
        content = _json(reference, answer)
        labels = (content.get("config") or {}).get("Labels") or {}
        return _Image(document.digest, digest, platform or _platform(content), labels)


def _name(reference: ImageReference) -> str:
    """What follows `manifests/`: the digest is the identity, the tag only finds it."""
    return str(reference.digest or reference.tag or "latest")


def _children(document: _Document) -> list[tuple[Digest, str]]:
    """Digest and platform of the images in an index; attestations are none."""
    return [
        (Digest(str(each["digest"])), _platform(each.get("platform") or {}))
        for each in document.content.get("manifests") or []
        if _ATTESTATION not in (each.get("annotations") or {})
    ]


def _platform(holder: Mapping[str, Any]) -> str:
    """`os/architecture`; empty where either is not told (`unknown` is BuildKit's word for it)."""
    system, architecture = str(holder.get("os", "")), str(holder.get("architecture", ""))
    if "unknown" in {system, architecture} or not (system and architecture):
        return ""
    return f"{system}/{architecture}"


def _common(parts: Iterable[_Image], label: str) -> str | None:
    """A label that all parts have in common."""
    values = {each.labels.get(label) for each in parts}
    return values.pop() if len(values) == 1 else None


def _checked(reference: ImageReference, body: bytes, wanted: Digest | None) -> Digest:
    found = digest_of(body)
    if wanted is not None and found != wanted:
        raise Unreachable(
            f"what {reference.host} sent for {reference} is {found}, not {wanted}: damaged on the "
            "way; try again, and check the registry and any proxy before it if it stays"
        )
    return found


def _json(reference: ImageReference, answer: Answer) -> Mapping[str, Any]:
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

"""The OCI registry: what it holds under a name, by digest, read and checked byte by byte."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import httpx

from slipway.clients.gathering import gathered
from slipway.clients.github_packages import GitHubPackages
from slipway.clients.kept_documents import KeptDocuments
from slipway.clients.registry_documents import Document, Documents, ask, list_pages
from slipway.clients.registry_image import Reading, children, read_image
from slipway.clients.registry_prune import contents_of, is_only_a_blob, remove
from slipway.clients.registry_push import PULL_AND_PUSH, require_push
from slipway.clients.registry_session import RegistrySession
from slipway.clients.registry_signatures import read_signatures
from slipway.domain.image import Digest, ImageReference, PublishedImage
from slipway.domain.inventory import Contents
from slipway.domain.signature import SignedPayload
from slipway.errors import ImageMissing, PushFailed, RegistryUnusable, Unreachable
from slipway.ports import PullCredentials

REMEMBERED_IMAGES = 4096
"""An image never changes under its digest: what was read of it once is true while it is there."""


@dataclass(frozen=True, slots=True)
class _Read:
    """An image that was whole when it was read, and the images that its index names."""

    image: PublishedImage
    parts: tuple[ImageReference, ...]


@dataclass(slots=True)
class OciRegistry:
    """The `ImageRegistry` port over the OCI distribution API.

    It belongs to one event loop; `close` it, or leave the session's context, when done.
    """

    session: RegistrySession
    kept: KeptDocuments | None = None
    packages: GitHubPackages | None = None
    """Where deletions go, for GHCR, which takes none itself."""
    _images: OrderedDict[tuple[str, Digest], _Read] = field(default_factory=OrderedDict, repr=False)

    async def close(self) -> None:
        """Close every connection."""
        await self.session.close()
        if self.kept is not None:
            self.kept.trim()

    def expect(self, requests: int) -> None:
        """See `slipway.ports.ImageRegistry`."""
        self.session.expect(requests)

    async def find(self, reference: ImageReference) -> PublishedImage | None:
        """What the registry holds under the reference's digest, or else its tag, or None."""
        digest = await self.digest(reference)
        if digest is None:
            return None
        known = self._images.get((reference.repository, digest))
        if known is not None and await self._has_all(known.parts):
            return known.image
        documents = self._documents
        document = await documents.known_manifest(reference, digest)
        if document is None:
            return None
        image = await read_image(Reading(documents.child, documents.blob), reference, document)
        if not image.missing:  # what is gone may come back under the same digest
            self._remember(image, document)
        return image

    async def _has_all(self, parts: Sequence[ImageReference]) -> bool:
        """Whether all are there still: what is remembered tells what they say, and no more."""
        return None not in await gathered(map(self.digest, parts))

    async def digest(self, reference: ImageReference) -> Digest | None:
        """See `slipway.ports.ImageRegistry`: by HEAD, no manifest is downloaded for it."""
        answer = await ask(self.session, "HEAD", reference, f"manifests/{_name(reference)}")
        if answer is None:
            return None
        if answer.digest is not None:
            return answer.digest
        document = await self._documents.manifest(reference, _name(reference))
        return document.digest if document else None

    async def tags(self, repository: str) -> Sequence[str]:
        """Every tag of a repository, in no order; none if the repository does not exist."""
        listed = list_pages(self.session, ImageReference(repository), "tags/list?n=1000", "tags")
        return [str(each) async for each in listed]

    async def contents(self, reference: ImageReference) -> Contents | None:
        """See `slipway.ports.ImageRegistry`."""
        try:
            document = await self._documents.manifest(reference, _name(reference))
        except (RegistryUnusable, Unreachable):
            if await is_only_a_blob(self.session, reference):
                return None
            raise
        return None if document is None else contents_of(document.digest, document.content)

    async def referrers(self, repository: str, digest: Digest) -> frozenset[Digest]:
        """See `slipway.ports.ImageRegistry`; an older registry answers 404."""
        reference = ImageReference(repository, digest=digest)
        listed = list_pages(self.session, reference, f"referrers/{digest}", "manifests")
        return frozenset([Digest(str(each["digest"])) async for each in listed])

    async def signatures(self, repository: str, digest: Digest) -> Sequence[SignedPayload]:
        """See `slipway.ports.ImageRegistry`."""
        return await read_signatures(self._documents, repository, digest)

    async def restore_number(self, repository: str, digest: Digest) -> str:
        """See `slipway.ports.ImageRegistry`."""
        if self.packages is None:
            return ""
        return await self.packages.restore_number(ImageReference(repository).path, digest)

    async def remove(self, repository: str, digest: Digest) -> None:
        """See `slipway.ports.ImageRegistry`."""
        reference = ImageReference(repository, digest=digest)
        if self.packages is not None:
            await self.packages.remove(reference.path, digest)
        else:
            await remove(self.session, reference)
        self._images.pop((repository, digest), None)

    async def require_push(self, repository: str) -> None:
        """See `slipway.ports.ImageRegistry`."""
        await require_push(self.session, ImageReference(repository))

    async def tag(self, image: PublishedImage, tag: str) -> None:
        """Point `tag` at exactly this image, without a byte of it changing."""
        reference = ImageReference(image.repository, tag, image.digest)
        document = await self._documents.manifest(reference, image.digest)
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

    async def probe(
        self,
        reference: ImageReference,
        credentials: PullCredentials | None,
        *,
        parts: bool = True,
    ) -> None:
        """Prove that these credentials (None: nobody's) can pull the image, children too."""
        theirs = replace(credentials, host=reference.host) if credentials else None
        session = RegistrySession(theirs, self.session.plain_http_hosts, self.session.transport)
        async with session:
            await OciRegistry(session).require_whole(reference, parts=parts)

    async def require_whole(self, reference: ImageReference, *, parts: bool = True) -> None:
        """Refuse an image whose manifest, or a platform's of it, the registry does not have."""
        document = await self._documents.manifest(reference, _name(reference))
        if document is None:
            raise ImageMissing(
                f"{reference} does not exist in the registry: it was never pushed or was deleted; "
                "deploy a commit whose image exists"
            )
        if not (parts and document.is_index):
            return
        for digest, _ in children(document):
            child = ImageReference(reference.repository, digest=digest)
            if await self.digest(child) is None:
                raise ImageMissing(
                    f"{reference} is an index whose part {digest} is gone from the registry: build "
                    "and deploy a new commit"
                )

    def _remember(self, image: PublishedImage, document: Document) -> None:
        named = children(document) if document.is_index else ()
        parts = tuple(ImageReference(image.repository, digest=each) for each, _ in named)
        self._images[image.repository, image.digest] = _Read(image, parts)
        while len(self._images) > REMEMBERED_IMAGES:
            self._images.popitem(last=False)

    @property
    def _documents(self) -> Documents:
        return Documents(self.session, self.kept)


def _name(reference: ImageReference) -> str:
    """What follows `manifests/`: the digest is the identity, the tag only finds it."""
    return str(reference.digest or reference.tag or "latest")

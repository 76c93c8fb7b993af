"""Images: who builds them, and the registry that has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from slipway.domain.image import Digest, ImageReference, PublishedImage
from slipway.domain.inventory import Contents
from slipway.domain.signature import SignedPayload
from slipway.domain.target import Service


class ImageBuilder(Protocol):
    """Builds images and pushes them."""

    async def check(self) -> None:
        """`Unreachable` unless what builds answers us."""

    async def build(self, tree: Path, service: Service, labels: Mapping[str, str]) -> str:
        """Build the service's image from a checkout; the local image id, or `BuildFailed`.

        Every line of the build's output is logged at INFO by `slipway.clients`.
        """

    async def push(self, image_id: str, reference: ImageReference) -> Digest:
        """Push a local image under a tag; the digest that the registry confirms.

        Raises `PushFailed` or `AccessDenied` for good, `Unreachable` when it may be tried again;
        after any of them no tag points at an image that is not whole.
        """


@dataclass(frozen=True, slots=True)
class PullCredentials:
    """User and password for one registry host, as a pull secret has them."""

    host: str
    username: str
    password: SecretStr


class ImageRegistry(Protocol):
    """The OCI registry."""

    def expect(self, requests: int) -> None:
        """Be told how many questions come next, at least; nothing but their cost depends on it."""

    async def find(self, reference: ImageReference) -> PublishedImage | None:
        """What the registry holds under the reference's digest, or else its tag, or None."""

    async def digest(self, reference: ImageReference) -> Digest | None:
        """The digest under a reference, None where nothing is; the cheapest question there is."""

    async def tags(self, repository: str) -> Sequence[str]:
        """Every tag of a repository, in no order; none if the repository does not exist."""

    async def require_push(self, repository: str) -> None:
        """`AccessDenied`, naming account and repository, unless we may push there."""

    async def contents(self, reference: ImageReference) -> Contents | None:
        """What a manifest or an index names, children, attestations and all; None if not there."""

    async def referrers(self, repository: str, digest: Digest) -> frozenset[Digest]:
        """What the registry says refers to a digest; nothing where it does not keep that."""

    async def signatures(self, repository: str, digest: Digest) -> Sequence[SignedPayload]:
        """What cosign keeps beside a digest, whoever has signed it; nothing where there is none."""

    async def restore_number(self, repository: str, digest: Digest) -> str:
        """By which a manifest is restored once it is deleted; empty where none would be."""

    async def remove(self, repository: str, digest: Digest) -> None:
        """Delete a manifest or an index, and with it every tag of it; it may be gone already."""

    async def tag(self, image: PublishedImage, tag: str) -> None:
        """Point `tag` at exactly this image, without a byte of it changing."""

    async def probe(
        self,
        reference: ImageReference,
        credentials: PullCredentials | None,
        *,
        parts: bool = True,
    ) -> None:
        """Prove that these credentials (None: nobody's) can pull the image, platform children too.

        Without `parts` no child is asked for, for who has looked the image up: an account may pull
        all of a repository or nothing.
        Raises `AccessDenied` (rejected or not enough), `ImageMissing`, or `Unreachable`.
        """

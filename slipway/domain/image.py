"""Images: the digest is the identity, the tag is how people find it (OCI distribution 1.1)."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from slipway.domain.commit import Commit
from slipway.errors import InvalidInput

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT = re.compile("[0-9a-f]{40}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"[A-Za-z0-9.-]+(?::[0-9]+)?(?:/{_COMPONENT})+")
_NAMED_DIGEST = re.compile("(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_NAMED_COMMIT = re.compile("(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The sha256 of a manifest, an index or an image configuration."""

    value: str

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.value):
            raise InvalidInput(
                f"{self.value[:80]!r} is not a digest: write sha256:, then 64 hex characters"
            )

    def __str__(self) -> str:
        return self.value

    @property
    def short(self) -> str:
        """`sha256:` and twelve characters, for people."""
        return self.value[:19]


@dataclass(frozen=True, slots=True)
class ImageReference:
    """How something names an image: `host/path[:tag][@digest]`."""

    repository: str
    tag: str | None = None
    digest: Digest | None = None

    def __post_init__(self) -> None:
        if not _REPOSITORY.fullmatch(self.repository):
            raise InvalidInput(
                f"{self.repository[:120]!r} is not an image repository: write host/path in lower "
                "case"
            )
        if self.tag is not None and not _TAG.fullmatch(self.tag):
            raise InvalidInput(
                f"{self.tag[:140]!r} is not a tag of {self.repository}: use letters, digits and _.-"
            )

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference; the host must be spelled out, nothing is guessed."""
        name, at, digest = text.partition("@")
        path, colon, tag = name.rpartition(":")
        if not colon or "/" in tag:  # the colon, if any, belongs to the host's port
            return cls(name, None, Digest(digest) if at else None)
        return cls(path, tag, Digest(digest) if at else None)

    @property
    def host(self) -> str:
        """The registry's host, with its port if there is one."""
        return self.repository.split("/", 1)[0]

    @property
    def path(self) -> str:
        """The repository's name inside the registry."""
        return self.repository.split("/", 1)[1]

    @property
    def commit(self) -> Commit | None:
        """The commit that the tag names, if it names one."""
        if self.tag is None or not _COMMIT.fullmatch(self.tag):
            return None
        return Commit(self.tag)


@dataclass(frozen=True, slots=True)
class PublishedImage:
    """What a registry holds under a reference.

    `accepted` are the digests by which a container runtime may name it once it runs: the index, its
    platform manifests and the image configurations (kubernetes/kubernetes#115199). `revision`,
    `source` and `build_inputs` are labels of the image, None where it has none; an index without a
    label in common has none.
    """

    repository: str
    digest: Digest
    accepted: frozenset[Digest]
    platforms: frozenset[str]
    revision: str | None = None
    source: str | None = None
    build_inputs: str | None = None
    created: datetime | None = None
    """When it was built; None where it does not say, as reproducible builds don't."""
    missing: frozenset[Digest] = frozenset()
    """Platforms' manifests that its index names, and that the registry does not have."""

    @property
    def labelled(self) -> Commit | None:
        """The commit that the revision label names, if it names one in full."""
        if self.revision is None or not _COMMIT.fullmatch(self.revision):
            return None
        return Commit(self.revision)

    def named(self, commit: Commit) -> ImageReference:
        """The string that is pinned: the commit for people, the digest for machines."""
        return ImageReference(self.repository, commit.sha, self.digest)


@dataclass(frozen=True, slots=True)
class RecordedTag:
    """A tag as it was published: the digest, and when that was recorded."""

    digest: Digest
    at: datetime
    build_inputs: str | None = None
    """Of what it was built, where somebody knows it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a registry would not delete an image, the last time it was asked."""

    why: str
    at: datetime


def named_digests(text: str) -> list[Digest]:
    """Every digest that stands anywhere in a text.

    A mirror's or a short name is another repository's by its text, and who makes an image's name
    of a variable, or fills in a value of ESC, may have the digest alone.
    """
    return [Digest(f"sha256:{each}") for each in _NAMED_DIGEST.findall(text)]


def named_commits(text: str) -> list[str]:
    """Every commit's tag that stands anywhere in a text, likewise."""
    return _NAMED_COMMIT.findall(text)


def named(text: str) -> frozenset[str]:
    """Both, as texts: by these an image may be named, whatever the words around."""
    return frozenset({*map(str, named_digests(text)), *named_commits(text)})

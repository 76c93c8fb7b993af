"""A registry and a builder in memory; an image behaves as its text says."""

import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from slipway.domain.commit import Commit
from slipway.domain.image import Digest, ImageReference, PublishedImage
from slipway.domain.inventory import Contents
from slipway.domain.publication import BUILD_INPUTS_LABEL, REVISION_LABEL, SOURCE_LABEL
from slipway.domain.signature import SignedPayload
from slipway.domain.target import Service
from slipway.errors import AccessDenied, BuildFailed, ImageMissing, PushFailed
from slipway.ports import PullCredentials
from tests.fakes.faults import Faults
from tests.fakes.git import FakeGit


class Behaviour(StrEnum):
    """What a container of the image does; the word stands in the service's source."""

    GOOD = "good"
    CRASHES = "crashes"
    NEVER_READY = "never-ready"
    OUT_OF_MEMORY = "out-of-memory"
    SICK = "sick"
    DIES_LATER = "dies-later"
    HANGS_LATER = "hangs-later"
    DOES_NOT_COMPILE = "does-not-compile"


@functools.cache
def behaviour_in(text: str) -> Behaviour:
    """The behaviour that a source text asks for; good when it asks for none."""
    found = [each for each in Behaviour if re.search(rf"\b{each.value}\b", text)]
    return found[-1] if found else Behaviour.GOOD


def digest_of(text: str) -> Digest:
    """A digest that differs exactly when the text does."""
    return Digest(f"sha256:{hashlib.sha256(text.encode()).hexdigest()}")


@dataclass(frozen=True)
class FakeImage:
    """An index with one platform child and its configuration."""

    digest: Digest
    child: Digest
    config: Digest
    behaviour: Behaviour
    labels: Mapping[str, str]
    platforms: frozenset[str] = frozenset({"linux/amd64"})
    created: datetime | None = None
    missing: frozenset[Digest] = frozenset()
    """Of its platforms, what is gone from the registry."""

    @property
    def accepted(self) -> frozenset[Digest]:
        return frozenset({self.digest, self.child, self.config})


def make_image(text: str, labels: Mapping[str, str]) -> FakeImage:
    """An image whose identity is its text and labels, as with a real build."""
    identity = f"{text}{sorted(labels.items())}"
    return FakeImage(
        digest_of(f"index {identity}"),
        digest_of(f"child {identity}"),
        digest_of(f"config {identity}"),
        behaviour_in(text),
        dict(labels),
    )


@dataclass
class FakeRegistry:
    """The `ImageRegistry` port on dictionaries."""

    faults: Faults
    images: dict[tuple[str, Digest], FakeImage] = field(default_factory=dict)
    tagged: dict[tuple[str, str], Digest] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=lambda: {"puller": "pull-password"})
    """User → password of the accounts that may pull."""
    attached: dict[tuple[str, Digest], Contents] = field(default_factory=dict)
    """Manifests that belong to an image: what they are, by their own digest."""
    signed: dict[tuple[str, Digest], list[SignedPayload]] = field(default_factory=dict)
    """What cosign has left beside an image."""
    restores: bool = False
    """Whether what is removed can be restored."""
    numbers: dict[Digest, int] = field(default_factory=dict)
    """By which each of those is: in the order in which somebody asked."""
    removed: list[Digest] = field(default_factory=list)
    may_push: bool = True
    """Whether the account that publishes may push."""

    def put(self, repository: str, tag: str, image: FakeImage) -> None:
        """What a finished push leaves."""
        self.images[repository, image.digest] = image
        self.tagged[repository, tag] = image.digest

    def delete(self, repository: str, digest: Digest) -> None:
        """Delete an image and with it every tag of it."""
        del self.images[repository, digest]
        self.tagged = {key: each for key, each in self.tagged.items() if each != digest}

    def lose_platform(self, repository: str, digest: Digest) -> None:
        """Leave the bare index of an image: its labels and platforms were its child's."""
        image = self.images[repository, digest]
        bare = replace(image, labels={}, platforms=frozenset(), missing=frozenset({image.child}))
        self.images[repository, digest] = bare

    def held(self, reference: ImageReference) -> FakeImage | None:
        """The image under a reference, whatever digest of it is named."""
        if reference.digest is None:
            digest = self.tagged.get((reference.repository, reference.tag or "latest"))
            return self.images.get((reference.repository, digest)) if digest else None
        found = self.images.get((reference.repository, reference.digest))
        if found is not None:
            return found
        for (repository, _), image in self.images.items():
            there = image.accepted - image.missing
            if repository == reference.repository and reference.digest in there:
                return image
        return None

    def expect(self, requests: int) -> None:
        """What is in memory costs nothing."""

    async def find(self, reference: ImageReference) -> PublishedImage | None:
        await self.faults.at("before", "registry.find")
        image = self.held(reference)
        if image is None:
            return None
        return PublishedImage(
            reference.repository,
            reference.digest or image.digest,
            image.accepted,
            image.platforms,
            image.labels.get(REVISION_LABEL),
            image.labels.get(SOURCE_LABEL),
            image.labels.get(BUILD_INPUTS_LABEL),
            image.created,
            image.missing,
        )

    async def digest(self, reference: ImageReference) -> Digest | None:
        await self.faults.at("before", "registry.digest")
        if reference.digest is None:
            return self.tagged.get((reference.repository, reference.tag or "latest"))
        is_attached = (reference.repository, reference.digest) in self.attached
        return reference.digest if is_attached or self.held(reference) is not None else None

    async def tags(self, repository: str) -> Sequence[str]:
        await self.faults.at("before", "registry.tags")
        return [tag for (held, tag) in self.tagged if held == repository]

    async def contents(self, reference: ImageReference) -> Contents | None:
        await self.faults.at("before", "registry.contents")
        digest = reference.digest or self.tagged.get((reference.repository, reference.tag or ""))
        for (repository, _), image in self.images.items():
            if repository != reference.repository or digest is None:
                continue
            if image.digest == digest:
                return Contents(digest, (image.child,), bytes=100)
            if image.child == digest and digest not in image.missing:
                return Contents(digest, config=image.config, bytes=1000)
        return self.attached.get((reference.repository, digest)) if digest else None

    async def referrers(self, repository: str, digest: Digest) -> frozenset[Digest]:
        await self.faults.at("before", "registry.referrers")
        return frozenset(
            each.digest
            for (held, _), each in self.attached.items()
            if held == repository and each.subject == digest
        )

    async def signatures(self, repository: str, digest: Digest) -> Sequence[SignedPayload]:
        await self.faults.at("before", "registry.signatures")
        return self.signed.get((repository, digest), [])

    async def restore_number(self, repository: str, digest: Digest) -> str:
        del repository
        await self.faults.at("before", "registry.restore_number")
        if not self.restores:
            return ""
        return str(self.numbers.setdefault(digest, len(self.numbers) + 1))

    async def remove(self, repository: str, digest: Digest) -> None:
        await self.faults.at("before", "registry.remove")
        self.removed.append(digest)
        self.attached.pop((repository, digest), None)
        if (repository, digest) in self.images:
            self.delete(repository, digest)
        self.tagged = {key: each for key, each in self.tagged.items() if each != digest}
        await self.faults.at("after", "registry.remove")

    async def require_push(self, repository: str) -> None:
        await self.faults.at("before", "registry.require_push")
        if not self.may_push:
            raise AccessDenied(f"{repository}: account publisher may only pull")

    async def tag(self, image: PublishedImage, tag: str) -> None:
        await self.faults.at("before", "registry.tag")
        if (image.repository, image.digest) not in self.images:
            raise ImageMissing(
                f"{image.repository}@{image.digest} is gone: nothing to tag as {tag}"
            )
        self.tagged[image.repository, tag] = image.digest

    async def probe(
        self,
        reference: ImageReference,
        credentials: PullCredentials | None,
        *,
        parts: bool = True,
    ) -> None:
        await self.faults.at("before", "registry.probe")
        if credentials is None:
            raise AccessDenied(f"{reference}: anonymous may not pull")
        password = credentials.password.get_secret_value()
        if self.passwords.get(credentials.username) != password:
            raise AccessDenied(f"{reference}: user {credentials.username} was rejected")
        held = self.held(reference)
        if held is None or (parts and held.missing):
            raise ImageMissing(f"{reference} does not exist, or not whole")


@dataclass
class FakeBuilder:
    """The `ImageBuilder` port: builds from the fake repository, pushes into the fake registry."""

    faults: Faults
    git: FakeGit
    registry: FakeRegistry
    built: dict[str, FakeImage] = field(default_factory=dict)
    may_push: bool = True

    async def check(self) -> None:
        await self.faults.at("before", "builder.check")

    async def build(self, tree: Path, service: Service, labels: Mapping[str, str]) -> str:
        await self.faults.at("before", "builder.build")
        text = self.git.text_of(Commit(tree.name), service.folder)
        if behaviour_in(text) is Behaviour.DOES_NOT_COMPILE:
            raise BuildFailed(
                f"the image of {service.name} could not be built: step 2 of 3 failed; "
                "mend the Dockerfile, and deploy the new commit"
            )
        image = make_image(text, labels)
        self.built[str(image.config)] = image
        return str(image.config)

    async def push(self, image_id: str, reference: ImageReference) -> Digest:
        await self.faults.at("before", "builder.push")
        if not (self.registry.may_push and self.may_push):
            raise AccessDenied(f"push of {reference} denied: the account may only pull")
        image = self.built.get(image_id)
        if image is None:
            raise PushFailed(f"push of {reference} failed: the engine has no {image_id}")
        await self.faults.at("before", "builder.manifest")
        self.registry.put(reference.repository, reference.tag or "", image)
        await self.faults.at("after", "builder.push")
        return image.digest

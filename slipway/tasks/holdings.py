"""What the registry holds under the names that matter to an audit: each is asked for once."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from slipway.domain.agreement import Unknown
from slipway.domain.auditing.named import moves
from slipway.domain.auditing.picture import Holdings, Memory, reference_of
from slipway.domain.auditing.ways import WAYS_BACK, why_no_way
from slipway.domain.candidate import newest_deploy
from slipway.domain.config import ConfigSnapshot
from slipway.domain.fitness import the_ready_digest
from slipway.domain.image import Digest, ImageReference, PublishedImage
from slipway.domain.scheduling import Node, platforms_of
from slipway.domain.signature import SignedPayload
from slipway.domain.workloads import Workloads
from slipway.errors import RegistryUnusable
from slipway.ports import Ports
from slipway.tasks.asking import Together, each_of
from slipway.tasks.publishing import MAIN

AT_ONCE = 16
"""Tags that are looked up at the same time."""


async def find_holdings(
    ports: Ports,
    together: Together,
    seen: tuple[
        ConfigSnapshot | Unknown,
        Workloads | Unknown | None,
        Memory | Unknown,
        Sequence[Node] | Unknown,
    ],
    *,
    every_tag: bool,
) -> Holdings:
    """What the registry holds under the names that matter; the registry itself is always asked."""
    config, cluster, ledger, nodes = seen
    memory = Memory() if isinstance(ledger, Unknown) else ledger
    newest = newest_deploy(memory.history)
    named = [
        config.value if isinstance(config, ConfigSnapshot) else None,
        cluster.image if isinstance(cluster, Workloads) else None,
        newest.image if newest is not None else None,
        _that_runs(ports, cluster),
    ]
    looking = _Looking(ports, together)
    ours = ports.target.service.repository
    found = [each for each in map(reference_of, named) if each and each.repository == ours]
    images = {str(each): await looking.image(each) for each in dict.fromkeys(found)}
    images |= await _ways_back(looking, memory, nodes)
    signatures = await _signatures(ports, images) if ports.target.service.signed_by else {}
    tags = {MAIN, *(each.tag for each in map(reference_of, images) if each and each.tag)}
    tags |= set(memory.published) if every_tag else _doubted(memory, ours)
    held = await looking.digests(sorted(tags))
    main = await _main(looking, held[MAIN], images)
    images |= await _once_published(looking, memory, held)
    return Holdings(images, held, main, signatures)


def _doubted(memory: Memory, repository: str) -> set[str]:
    """Tags that findings stand about: one is gone where it was looked at, not where nobody was."""
    named = [reference_of(each.about) for each in memory.standing]
    return {each.tag for each in named if each and each.repository == repository and each.tag}


@dataclass(frozen=True, slots=True)
class _Looking:
    """Lookups in the target's repository: each once, however many targets and names lead to it."""

    ports: Ports
    together: Together
    named: dict[str, Digest | None] = field(default_factory=dict)
    """What tags name by which an image was looked up."""

    async def image(self, reference: ImageReference) -> PublishedImage | None:
        """The image; a tag that names its digest still vouches for it, by one question for both."""
        if reference.tag is None:
            return await self._find(reference)
        if reference.digest is None:
            return await self._by_tag(reference.tag)
        with contextlib.suppress(RegistryUnusable):  # what the tag names now may be no image at all
            image = await self._by_tag(reference.tag)
            if image is not None and image.digest == reference.digest:
                return image
        return await self._find(replace(reference, tag=None))

    async def digests(self, tags: Sequence[str]) -> Mapping[str, Digest | None]:
        """What tags name; those are not asked for again by which an image was looked up."""
        unknown = [each for each in tags if each not in self.named]
        found = await find_tags(self.ports, self.together, unknown)
        return {each: self.named[each] if each in self.named else found[each] for each in tags}

    async def _by_tag(self, tag: str) -> PublishedImage | None:
        image = await self._find(ImageReference(self.ports.target.service.repository, tag))
        self.named[tag] = image.digest if image is not None else None
        return image

    async def _find(self, reference: ImageReference) -> PublishedImage | None:
        registry = self.ports.registry
        return await self.together.once(
            f"image {reference}", registry, lambda: registry.find(reference)
        )


async def _main(
    looking: _Looking, digest: Digest | None, images: Mapping[str, PublishedImage | None]
) -> PublishedImage | None:
    """What `:main` is: as a rule an image that was looked up already."""
    if digest is None:
        return None
    known = [each for each in images.values() if each is not None and each.digest == digest]
    ours = looking.ports.target.service.repository
    return known[0] if known else await looking.image(ImageReference(ours, digest=digest))


def _that_runs(ports: Ports, cluster: Workloads | Unknown | None) -> str | None:
    """What ready pods run, where the name that the template has may be another image's by now."""
    named = reference_of(cluster.image) if isinstance(cluster, Workloads) else None
    if not isinstance(cluster, Workloads) or named is None or not moves(named):
        return None
    digest = the_ready_digest(cluster, ports.target.workload.container)
    return str(ImageReference(named.repository, digest=digest)) if digest is not None else None


async def _once_published(
    looking: _Looking, memory: Memory, held: Mapping[str, Digest | None]
) -> Mapping[str, PublishedImage | None]:
    """What tags that name another image now were published for: it may be gone as well."""
    ours = looking.ports.target.service.repository
    digests = [
        recorded
        for tag, digest in held.items()
        if (recorded := memory.published.get(tag)) is not None and digest not in {None, recorded}
    ]
    wanted = [ImageReference(ours, digest=each) for each in digests]
    return {str(each): await looking.image(each) for each in wanted}


async def _signatures(
    ports: Ports, images: Mapping[str, PublishedImage | None]
) -> Mapping[str, Sequence[SignedPayload]]:
    return {
        name: await ports.registry.signatures(image.repository, image.digest)
        for name, image in images.items()
        if image is not None
    }


async def _ways_back(
    looking: _Looking, memory: Memory, nodes: Sequence[Node] | Unknown
) -> Mapping[str, PublishedImage | None]:
    """The ways back, down to as many that a rollback could take as must be left."""
    images: dict[str, PublishedImage | None] = {}
    fit = platforms_of(() if isinstance(nodes, Unknown) else nodes)
    good = 0
    for way in memory.ways_back:
        if good >= WAYS_BACK:
            break
        image = images[str(way)] = await looking.image(way)
        good += not why_no_way(looking.ports.target.name, way, image, fit)
    return images


async def find_tags(
    ports: Ports, together: Together, tags: Sequence[str]
) -> Mapping[str, Digest | None]:
    """What tags of the target's repository name: nothing is read of what they name."""
    registry, repository = ports.registry, ports.target.service.repository
    registry.expect(len(tags))

    async def ask(tag: str) -> Digest | None:
        named = ImageReference(repository, tag)
        return await together.once(f"digest {named}", registry, lambda: registry.digest(named))

    # The first alone: without a token yet, all that are asked at once would be refused.
    first = await each_of(tags[:1], ask, 1)
    return dict(zip(tags, first + await each_of(tags[1:], ask, AT_ONCE), strict=True))

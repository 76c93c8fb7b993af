"""What the registry holds under the names that matter to an audit: each is asked for once."""

from collections.abc import Mapping, Sequence

from slipway.domain.agreement import Unknown
from slipway.domain.auditing.named import moves
from slipway.domain.auditing.picture import Holdings, Memory, reference_of
from slipway.domain.auditing.ways import WAYS_BACK, why_no_way
from slipway.domain.candidate import newest_deploy
from slipway.domain.config import ConfigSnapshot
from slipway.domain.fitness import the_ready_digest
from slipway.domain.image import ImageReference, PublishedImage
from slipway.domain.signature import SignedPayload
from slipway.domain.workloads import Workloads
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
        frozenset[str] | Unknown,
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
    ours = ports.target.service.repository
    found = [each for each in map(reference_of, named) if each and each.repository == ours]
    images = {str(each): await _find(ports, together, each) for each in dict.fromkeys(found)}
    images |= await _ways_back(ports, together, memory, nodes)
    tags = {MAIN, *(each.tag for each in map(reference_of, images) if each and each.tag)}
    tags |= set(memory.published) if every_tag else memory.doubted
    signatures = await _signatures(ports, images) if ports.target.service.signed_by else {}
    held = await find_tags(ports, together, sorted(tags))
    images |= await _once_published(ports, together, memory, held)
    return Holdings(images, held, signatures)


def _that_runs(ports: Ports, cluster: Workloads | Unknown | None) -> str | None:
    """What ready pods run, where the name that the template has may be another image's by now."""
    named = reference_of(cluster.image) if isinstance(cluster, Workloads) else None
    if not isinstance(cluster, Workloads) or named is None or not moves(named):
        return None
    digest = the_ready_digest(cluster, ports.target.workload.container)
    return str(ImageReference(named.repository, digest=digest)) if digest is not None else None


async def _once_published(
    ports: Ports,
    together: Together,
    memory: Memory,
    held: Mapping[str, PublishedImage | None],
) -> Mapping[str, PublishedImage | None]:
    """What tags that name another image now were published for: it may be gone as well."""
    ours = ports.target.service.repository
    digests = [
        recorded
        for tag, image in held.items()
        if (recorded := memory.published.get(tag)) is not None
        and image is not None
        and image.digest != recorded
    ]
    wanted = [ImageReference(ours, digest=each) for each in digests]
    return {str(each): await _find(ports, together, each) for each in wanted}


async def _find(
    ports: Ports, together: Together, reference: ImageReference
) -> PublishedImage | None:
    """Asked once, however many targets and names lead to the image."""
    return await together.once(
        f"image {reference}", ports.registry, lambda: ports.registry.find(reference)
    )


async def _signatures(
    ports: Ports, images: Mapping[str, PublishedImage | None]
) -> Mapping[str, Sequence[SignedPayload]]:
    return {
        name: await ports.registry.signatures(image.repository, image.digest)
        for name, image in images.items()
        if image is not None
    }


async def _ways_back(
    ports: Ports, together: Together, memory: Memory, nodes: frozenset[str] | Unknown
) -> Mapping[str, PublishedImage | None]:
    """The ways back, down to as many that a rollback could take as must be left."""
    images: dict[str, PublishedImage | None] = {}
    fit = frozenset[str]() if isinstance(nodes, Unknown) else nodes
    good = 0
    for way in memory.ways_back:
        if good >= WAYS_BACK:
            break
        image = images[str(way)] = await _find(ports, together, way)
        good += not why_no_way(ports.target.name, way, image, fit)
    return images


async def find_tags(
    ports: Ports, together: Together, tags: Sequence[str]
) -> Mapping[str, PublishedImage | None]:
    """What the registry holds under tags of the target's repository."""
    ports.registry.expect(len(tags))

    async def find(tag: str) -> PublishedImage | None:
        named = ImageReference(ports.target.service.repository, tag)
        return await _find(ports, together, named)

    return dict(zip(tags, await each_of(tags, find, AT_ONCE), strict=True))

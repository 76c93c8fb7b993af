"""What anybody may still need of a repository, and since when its tags have their images."""

import functools
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from slipway.domain.auditing.picture import reference_of
from slipway.domain.image import Digest, ImageReference, named_commits, named_digests
from slipway.domain.release import Release
from slipway.domain.retention import InUse, Policy, still_kept
from slipway.domain.target import ConfigKey
from slipway.errors import UnknownCommit
from slipway.ports import Ports
from slipway.tasks.asking import Together, each_of

AT_ONCE = 16


async def read_in_use(
    every: Sequence[Ports], together: Together, policy: Policy, held: Mapping[str, Digest]
) -> InUse:
    """What anybody may need of a repository; `every` are all targets that take images from it.

    `held` are its tags.
    """
    digests: dict[Digest, str] = {}
    tags: dict[str, str] = {}
    repository = every[0].target.service.repository
    async for text, why in _texts(every, together, policy):
        for digest in named_digests(text):
            digests.setdefault(digest, why)
        for tag in named_commits(text):
            tags.setdefault(tag, why)
        reference = reference_of(text)
        if reference is not None and reference.repository == repository:
            tags.setdefault(reference.tag or "latest", why)
    born = await _born(every[0], together, held)
    refusals = await every[0].ledger.refusals(repository)
    told = {digest: f"{each.at:%Y-%m-%d}: {each.why}" for digest, each in refusals.items()}
    return InUse(digests, tags, born, told)


async def _texts(
    every: Sequence[Ports], together: Together, policy: Policy
) -> AsyncIterator[tuple[str, str]]:
    """Every text that names an image, and who names it."""
    for ports in every:
        for told in await _named(ports, together, policy):
            yield told
    ledger, repository = every[0].ledger, every[0].target.service.repository
    targets = {each.target.name for each in every}
    others = await ledger.elsewhere(repository, targets)
    for target in sorted({each.target for each in others}):
        where = f"{target}, which is no target of the repository now"
        for each in _of_releases([some for some in others if some.target == target], where, policy):
            yield each
    for target in sorted(targets | {each.target for each in others}):
        for hold in await ledger.holds(target):
            if hold.about is not None:
                yield hold.about.sha, f"hold {hold.number} is about it"


async def _named(ports: Ports, together: Together, policy: Policy) -> Iterator[tuple[str, str]]:
    """What a target's surroundings name."""
    target = ports.target
    running = await together.once("images", ports.cluster, ports.cluster.images)
    key = target.config_key
    configured = await ports.config.history(key)
    state = await together.once("state", str(target.stack), ports.stack.state)
    recorded = [image for each in state.deployments for image in each.images.values()]
    history = await ports.ledger.history(target.name)
    return iter(
        [
            *((each, "the cluster has it") for each in running),
            *((each, f"ESC has or had it in {key}") for each in configured.values),
            *((each, f"stack {target.stack} records it") for each in recorded),
            *_of_releases(history, target.name, policy),
            *((each, _named_by(key)) for each in configured.names),
        ]
    )


def _of_releases(
    history: Sequence[Release], where: str, policy: Policy
) -> Iterator[tuple[str, str]]:
    """What a target's releases, newest first, have live, had, or are about to have."""
    for each in _images_of(still_kept(history, policy)):
        yield each, f"it was live at {where}"
    for each in _images_of(each for each in history if each.is_open):
        yield each, f"an open release at {where}"


def _named_by(key: ConfigKey) -> str:
    """Under whichever key: another program's, or one where a person keeps what was good."""
    return f"ESC environment {key.environment_name} names or has named it"


def _images_of(releases: Iterable[Release]) -> Iterator[str]:
    for each in releases:
        yield each.image
        yield from map(str, filter(None, (each.digest, each.previous_digest, *each.accepted)))
        if (baseline := each.baseline) is not None:
            named = (baseline.config_value, baseline.spec_image, baseline.way_back)
            yield from filter(None, named)
            yield from map(str, filter(None, (baseline.running, *baseline.accepted)))


async def _born(
    ports: Ports, together: Together, held: Mapping[str, Digest]
) -> Mapping[str, datetime]:
    """Since when each commit's tag has had its image, or at the earliest may have had it.

    Not told where that is not known. The ledger knows it of what it has recorded under the tag.
    """
    repository = ports.target.service.repository
    published = await ports.ledger.published_tags(repository)
    born = {tag: each.at for tag, each in published.items() if held.get(tag) == each.digest}
    await together.fetched(ports)
    unrecorded = [ImageReference(repository, tag) for tag in sorted({*held} - {*born})]
    made = await each_of(unrecorded, functools.partial(_made, ports), AT_ONCE)
    found = zip(unrecorded, made, strict=True)
    return born | {str(each.tag): at for each, at in found if at is not None}


async def _made(ports: Ports, reference: ImageReference) -> datetime | None:
    """When commit and image of a tag were both there; None where either is not told."""
    if reference.commit is None:
        return None
    try:
        committed = (await ports.source.describe(reference.commit)).committed_at
    except UnknownCommit:
        return None
    image = await ports.registry.find(reference)
    if image is None or image.created is None:
        return None
    return max(datetime.fromisoformat(committed), image.created)

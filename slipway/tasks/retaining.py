"""What retention is decided on: all that a repository holds, and all that anybody may need of it.

Every read must succeed: an error ends the planning, because what can't be seen can't be protected.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from slipway.domain.auditing.picture import reference_of
from slipway.domain.candidate import proven_live
from slipway.domain.image import Digest, ImageReference
from slipway.domain.release import Release
from slipway.domain.retention import Contents, InUse, Inventory, Plan, Policy, plan_retention
from slipway.errors import UnknownCommit, Unreachable
from slipway.ports import Ports
from slipway.tasks.asking import Together

AT_ONCE = 16
DEEPEST = 3
"""An index may hold an index; deeper ones are nothing that a build makes."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT_TAG = re.compile(r":([0-9a-f]{40})(?![0-9a-f])")
"""Meant wherever it stands: a mirror, or a short name, is another repository's by its text."""


async def make_plan(
    every: Sequence[Ports], together: Together, policy: Policy, at: datetime
) -> Plan:
    """What may be deleted from the one repository of these targets: all that take images from it.

    What is in use is read after what is there, so that nothing published meanwhile is in the plan.
    """
    inventory = await read_inventory(every[0])
    in_use = await read_in_use(every, together, policy)
    return plan_retention(inventory, in_use, policy, at)


async def read_inventory(ports: Ports) -> Inventory:
    """Every tag of the target's repository, and every manifest that they lead to."""
    repository = ports.target.service.repository
    gate = asyncio.Semaphore(AT_ONCE)
    contents: dict[Digest, Contents] = {}

    async def read(reference: ImageReference) -> Contents | None:
        async with gate:
            return await ports.registry.contents(reference)

    async def refer(digest: Digest) -> frozenset[Digest]:
        async with gate:
            return await ports.registry.referrers(repository, digest)

    names = sorted(await ports.registry.tags(repository))
    ports.registry.expect(len(names))
    found = await asyncio.gather(*(read(ImageReference(repository, each)) for each in names))
    tags = {}
    for name, each in zip(names, found, strict=True):
        if each is None:
            raise Unreachable(
                f"{repository}:{name} was listed and is not there: somebody deletes at the same "
                "time; try again when that is over"
            )
        tags[name], contents[each.digest] = each.digest, each
    referrers = dict(zip(contents, await asyncio.gather(*map(refer, [*contents])), strict=True))
    waiting = {part for each in contents.values() for part in each.children}
    waiting |= {each for some in referrers.values() for each in some}
    for _ in range(DEEPEST):
        wanted = sorted(waiting - {*contents})
        parts = await asyncio.gather(
            *(read(ImageReference(repository, digest=each)) for each in wanted)
        )
        # A part that is gone protects nothing, and is not there to be deleted.
        contents |= {each.digest: each for each in parts if each is not None}
        waiting = {part for each in parts if each is not None for part in each.children}
    return Inventory(repository, tags, contents, {k: each for k, each in referrers.items() if each})


async def read_in_use(every: Sequence[Ports], together: Together, policy: Policy) -> InUse:
    """What anybody may need of a repository; `every` are all targets that take images from it."""
    digests: dict[Digest, str] = {}
    tags: dict[str, str] = {}
    for ports in every:
        repository = ports.target.service.repository
        for text, why in await _named(ports, together, policy):
            for digest in _DIGEST.findall(text):
                digests.setdefault(Digest(digest), why)
            for tag in _COMMIT_TAG.findall(text):
                tags.setdefault(tag, why)
            reference = reference_of(text)
            if reference is not None and reference.repository == repository:
                tags.setdefault(reference.tag or "latest", why)
        for hold in await ports.ledger.holds(ports.target.name):
            if hold.about is not None:
                tags.setdefault(hold.about.sha, f"hold {hold.number} is about it")
    return InUse(digests, tags, await _born(every[0], together))


async def _named(ports: Ports, together: Together, policy: Policy) -> Iterator[tuple[str, str]]:
    """Every text that names an image, and who names it."""
    target = ports.target
    running = await together.once("images", ports.cluster, ports.cluster.images)
    values = await ports.config.values(target.config_key)
    state = await together.once("state", str(target.stack), ports.stack.state)
    recorded = [image for each in state.deployments for image in each.images.values()]
    history = await ports.ledger.history(target.name)
    live = proven_live(history)[: policy.keep_live]
    opened = [each for each in history if each.is_open]
    return iter(
        [
            *((each, "the cluster has it") for each in running),
            *((each, f"ESC has or had it in {target.config_key.key}") for each in values),
            *((each, f"stack {target.stack} records it") for each in recorded),
            *((each, f"it was live at {target.name}") for each in _images_of(live)),
            *((each, f"an open release at {target.name}") for each in _images_of(opened)),
        ]
    )


def _images_of(releases: Iterable[Release]) -> Iterator[str]:
    for each in releases:
        yield each.image
        yield from map(str, filter(None, (each.digest, each.previous_digest, *each.accepted)))
        if (baseline := each.baseline) is not None:
            named = (baseline.config_value, baseline.spec_image, baseline.way_back)
            yield from filter(None, named)
            yield from map(str, filter(None, (baseline.running, *baseline.accepted)))


async def _born(ports: Ports, together: Together) -> Mapping[str, datetime]:
    """When each commit's tag was published by the ledger, or else its commit made, if git knows."""
    repository = ports.target.service.repository
    published = await ports.ledger.published_tags(repository)
    born = {tag: each.at for tag, each in published.items()}
    await together.fetched(ports)
    for tag in await ports.registry.tags(repository):
        commit = ImageReference(repository, tag).commit
        if tag not in born and commit is not None:
            try:
                made = (await ports.source.describe(commit)).committed_at
            except UnknownCommit:
                continue
            born[tag] = datetime.fromisoformat(made)
    return born

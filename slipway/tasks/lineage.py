"""Where what is deployed stands in git: what is newer, and which commit made it what it is."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from slipway.domain.agreement import Unknown
from slipway.domain.auditing.picture import Holdings, Lineage, Memory, reference_of
from slipway.domain.candidate import newest_deploy
from slipway.domain.commit import Commit
from slipway.domain.fitness import the_ready_digest
from slipway.domain.image import Digest, ImageReference
from slipway.domain.publication import REVISION_LABEL
from slipway.domain.target import CommitInfo
from slipway.domain.workloads import Workloads
from slipway.ports import ALL, Ports
from slipway.tasks.asking import Together
from slipway.tasks.publishing import are_same_inputs

LOOKED_AT = 20
"""Commits that touch a service's folder among which the last real change is looked for first."""
FURTHER = 10
"""How many times as many are looked at then."""


async def find_lineage(
    ports: Ports,
    together: Together,
    cluster: Workloads | Unknown | None,
    registry: Holdings | Unknown,
    ledger: Memory | Unknown,
) -> Lineage:
    """What git knows of the deployed commit, and of the labels of the images looked up."""
    await together.fetched(ports)
    source = ports.source
    head = await source.describe(await source.head(ports.target.branch))
    built = await _built_from(ports, cluster, registry)
    commit = None if isinstance(built, Unknown) else built
    held = Holdings() if isinstance(registry, Unknown) else registry
    memory = Memory() if isinstance(ledger, Unknown) else ledger
    return Lineage(
        head,
        await source.describe(commit) if commit else None,
        await _pending(ports, commit, head.commit) if commit else (),
        await last_change(ports, commit) if commit else None,
        frozenset([pair for pair in _unlike(held) if await _same_inputs(ports, *pair)]),
        await _main_is_newer(ports, held, memory),
        built.why if isinstance(built, Unknown) else "",
    )


async def _built_from(
    ports: Ports, cluster: Workloads | Unknown | None, registry: Holdings | Unknown
) -> Commit | Unknown | None:
    """The commit of the target's image that is deployed; None where none of it is."""
    named = reference_of(cluster.image) if isinstance(cluster, Workloads) else None
    if not isinstance(cluster, Workloads) or named is None:
        return None
    if named.repository != ports.target.service.repository:
        return None
    running = the_ready_digest(cluster, ports.target.workload.container)
    commit = named.commit or _labelled(named, running, registry)
    if isinstance(commit, Unknown) or await ports.source.is_ancestor(commit, commit):
        return commit
    return Unknown(f"git does not know commit {commit.short}, from which {named} was built")


def _labelled(
    named: ImageReference, running: Digest | None, registry: Holdings | Unknown
) -> Commit | Unknown:
    """The commit by the label of an image whose name has none: of what runs, if the name moves."""
    if isinstance(registry, Unknown):
        return registry
    digest = named.digest or running
    if digest is None:
        return Unknown(f"{named} names no commit, and its ready pods do not run one image")
    image = next(
        (each for each in registry.images.values() if each and digest in each.accepted), None
    )
    if image is None:
        return Unknown(f"{named} names no commit, and the registry does not have {digest}")
    return image.labelled or Unknown(
        f"{named} names no commit, and neither does the label {REVISION_LABEL} of {digest}"
    )


async def last_change(ports: Ports, commit: Commit) -> CommitInfo | None:
    """The last commit, up to this one, that changed what the service's build can see."""
    source, service = ports.source, ports.target.service
    limit, compared = LOOKED_AT, 0
    while True:
        touching = await source.touching(service, commit, limit=limit)
        for newer, older in pairwise(touching[compared:]):
            if not await _are_equal(ports, newer.commit, older.commit):
                return newer
        if len(touching) < limit:
            return touching[-1] if touching else None  # which brought the service
        compared, limit = limit - 1, limit * FURTHER


async def _are_equal(ports: Ports, one: Commit, other: Commit) -> bool:
    source, service = ports.source, ports.target.service
    return await source.build_inputs(one, service) == await source.build_inputs(other, service)


async def _pending(ports: Ports, deployed: Commit, head: Commit) -> Sequence[CommitInfo]:
    """Commits of the branch that the deployed one does not have, and that change its image.

    One that is deployed from elsewhere may lack any of them: it is behind as well.
    """
    source, service = ports.source, ports.target.service
    pending = await source.touching(service, head, deployed, ALL)
    if not pending or not await source.has_folder(head, service.folder):
        return ()
    return pending if not await _same_inputs(ports, deployed, head) else ()


def _unlike(held: Holdings) -> Iterator[tuple[Commit, Commit]]:
    """Images whose tag names one commit and whose label another."""
    for name, image in held.images.items():
        reference = reference_of(name)
        tag = reference.commit if reference is not None else None
        label = image.labelled if image is not None else None
        if tag is not None and label is not None and label != tag:
            yield tag, label


async def _same_inputs(ports: Ports, one: Commit, other: Commit) -> bool:
    known = await ports.source.is_ancestor(other, other)
    return known and await are_same_inputs(ports, one, other)


async def _main_is_newer(ports: Ports, held: Holdings, memory: Memory) -> bool:
    label = held.main.labelled if held.main is not None else None
    newest = newest_deploy(memory.history)
    if label is None or newest is None or newest.commit is None:
        return False
    return await ports.source.is_ancestor(newest.commit, label)

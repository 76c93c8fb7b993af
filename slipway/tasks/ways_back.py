"""Which image a rollback goes to."""

import logging
import re
from collections.abc import Sequence
from dataclasses import replace

from slipway.domain.acceptance import Published, Surroundings, acceptable
from slipway.domain.candidate import proven_live
from slipway.domain.commit import Commit
from slipway.domain.fitness import the_ready_digest
from slipway.domain.image import Digest, ImageReference, PublishedImage
from slipway.domain.publication import is_whole
from slipway.domain.release import PREVIOUS, Release
from slipway.domain.scheduling import ANYWHERE, open_to, platforms_of
from slipway.domain.way_back import leaving, previous
from slipway.errors import (
    AlreadyLive,
    ImageMissing,
    NothingToRollBackTo,
    PlatformMissing,
    TagConflict,
)
from slipway.ports import Ports
from slipway.tasks.commits import resolve_commit
from slipway.tasks.gates import find_barred
from slipway.tasks.policies import repeatable
from slipway.tasks.publishing import has_same_inputs

log = logging.getLogger(__name__)

SHOWN = 10


@repeatable("choose the image to go back to")
async def choose_image(
    ports: Ports, wanted: str, *, may_run: bool = False
) -> tuple[Commit, PublishedImage]:
    """The published image of a commit, or of the default way back for `previous`.

    `AlreadyLive` for the one that runs, unless it `may_run`: a restore may just have brought it
    back.
    """
    there = replace(await surroundings(ports), may_run=may_run)
    try:
        if wanted == PREVIOUS:
            return await default_way_back(ports, there)
        commit = await resolve_commit(ports.source, wanted)
        found = await look_up(ports, commit, await ports.ledger.history(ports.target.name))
        return commit, acceptable(found, there)
    except (AlreadyLive, ImageMissing, NothingToRollBackTo, PlatformMissing, TagConflict) as error:
        raise type(error)(f"{error} ({await _what_there_is(ports)})") from error


async def surroundings(ports: Ports) -> Surroundings:
    """What decides about every commit alike."""
    nodes, seen = await ports.cluster.nodes(), await ports.cluster.observe(ports.target.workload)
    running = the_ready_digest(seen, ports.target.workload.container) if seen else None
    its_nodes = open_to(seen.placement if seen else ANYWHERE, nodes)
    asked = seen.image if seen else ""
    return Surroundings(ports.target.name, running, platforms_of(its_nodes), asked=asked)


async def look_up(ports: Ports, commit: Commit, history: Sequence[Release]) -> Published:
    """What is held of a commit's image, and what was recorded of it."""
    tag = ImageReference(ports.target.service.repository, commit.sha)
    recorded = await _recorded(ports, tag, history)
    image = await ports.registry.find(replace(tag, digest=recorded))
    tagged = await ports.registry.find(tag) if image is None and recorded is not None else None
    same = recorded is None and image is not None and await has_same_inputs(ports, image, commit)
    return Published(tag.repository, commit, recorded, image, tagged, same)


async def _recorded(ports: Ports, tag: ImageReference, history: Sequence[Release]) -> Digest | None:
    """The digest that the ledger has for the commit: as published, else as proven live here."""
    if (published := await ports.ledger.published(tag)) is not None:
        return published
    return next((each.digest for each in proven_live(history) if each.commit == tag.commit), None)


async def default_way_back(ports: Ports, there: Surroundings) -> tuple[Commit, PublishedImage]:
    """Where a rollback to `previous` goes; `NothingToRollBackTo` says why it goes nowhere."""
    history = await ports.ledger.history(ports.target.name)
    barred = await find_barred(ports, history)
    gone: list[str] = []
    for way in previous(history, leaving(history, there.running, there.asked), barred):
        image = await ports.registry.find(ImageReference.parse(way.image))
        if is_whole(image) and way.commit is not None:
            log.info("previous of %s is %s (release %s)", ports.target.name, way.commit, way.id)
            return way.commit, image
        gone.append(f"{way.image} of release {way.id}")
    vetoed = ", ".join(sorted(each.short for each in barred.commits))
    skipped = f" and is not vetoed ({vetoed})" if vetoed else ""
    lost = f"; no longer whole in the registry: {', '.join(gone)}" if gone else ""
    raise NothingToRollBackTo(
        f"{ports.target.name} has no earlier release that was proven live{skipped}{lost}: name a "
        "commit with --to instead"
    )


async def was_ever_left(ports: Ports, there: Surroundings) -> bool:
    """Whether anything was live before what is there now, be it gone or vetoed since."""
    history = await ports.ledger.history(ports.target.name)
    return bool(previous(history, leaving(history, there.running, there.asked)))


async def _what_there_is(ports: Ports) -> str:
    """The commits that have an image, newest first along the main line as far as git knows them."""
    tags = await ports.registry.tags(ports.target.service.repository)
    commits = [Commit(tag) for tag in tags if re.fullmatch("[0-9a-f]{40}", tag)]
    if not commits:
        return f"{ports.target.service.repository} holds no image of any commit"
    return f"published are: {', '.join(await _newest_first(ports, commits))}"


async def _newest_first(ports: Ports, commits: list[Commit]) -> list[str]:
    known = []
    for commit in commits:
        if await ports.source.is_ancestor(commit, commit):
            info = await ports.source.describe(commit)
            known.append((info.committed_at, f"{commit.short} ({info.subject[:50]})"))
    return [shown for _, shown in sorted(known, reverse=True)[:SHOWN]] or [
        each.short for each in commits[:SHOWN]
    ]

"""Settle: what follows a release that is live. Reported when it fails, never undone."""

import logging

from slipway.domain.commit import Commit
from slipway.domain.image import ImageReference, PublishedImage
from slipway.domain.journal import intent, observed
from slipway.domain.release import Kind
from slipway.errors import SlipwayError
from slipway.ports import Ports
from slipway.tasks.gates import lift_holds
from slipway.tasks.policies import repeatable
from slipway.tasks.record import Record

log = logging.getLogger(__name__)

MAIN = "main"


async def settle(ports: Ports, record: Record, image: PublishedImage) -> None:
    """End the holds that are overcome; move `:main` to an image that a deploy has proven live."""
    await lift_holds(ports, record)
    commit = record.release.commit
    if record.release.kind is not Kind.DEPLOY or commit is None or not ports.target.moves_main:
        return
    try:
        await move_main(ports, record, image, commit)
    except SlipwayError as error:
        note = f":{MAIN} of {image.repository} was not moved: {error}"
        log.warning("%s", note)
        await record.note(notes=(*record.release.notes, note))


@repeatable("move :main")
async def move_main(ports: Ports, record: Record, image: PublishedImage, commit: Commit) -> None:
    """Point `:main` at the image unless that would move it backwards or sideways."""
    there = await ports.registry.find(ImageReference(image.repository, MAIN))
    if there is not None and there.digest == image.digest:
        return
    if there is not None and not await _is_behind(ports, there, commit):
        log.warning(
            ":%s of %s stays at %s: its revision %s is no ancestor of %s",
            MAIN,
            image.repository,
            there.digest,
            there.revision,
            commit,
        )
        return
    told = {"repository": image.repository, "tag": MAIN, "digest": str(image.digest)}
    instead_of = str(there.digest) if there else None
    await record.journal(intent("tag", **told, instead_of=instead_of))
    async with record.observing("tag"):
        await ports.registry.tag(image, MAIN)
    await record.journal(observed("tag", digest=str(image.digest)))
    log.info(":%s of %s is %s", MAIN, image.repository, image.digest)


async def _is_behind(ports: Ports, there: PublishedImage, commit: Commit) -> bool:
    """Whether the commit descends from what `:main` names; without a label nobody can tell."""
    if there.labelled is None:
        return True
    return await ports.source.is_ancestor(there.labelled, commit)

"""Settle: what follows a release that is live. Reported when it fails, never undone."""

import logging

from slipway.domain.candidate import proven_live
from slipway.domain.commit import Commit
from slipway.domain.image import ImageReference, PublishedImage
from slipway.domain.journal import intent, observed
from slipway.domain.release import Kind, Release
from slipway.errors import ImageMissing, SlipwayError, TagConflict
from slipway.ports import Ports
from slipway.tasks.policies import repeatable
from slipway.tasks.publishing import MAIN
from slipway.tasks.record import Record

log = logging.getLogger(__name__)


async def settle(ports: Ports, record: Record) -> None:
    """Move `:main` to an image that a deploy has proven live."""
    if record.release.kind is not Kind.DEPLOY or not ports.target.moves_main:
        return
    try:
        await move_main(ports, record)
    except SlipwayError as error:
        note = f":{MAIN} of {ports.target.service.repository} was not moved: {error}"
        log.warning("%s", note)
        await record.note(notes=(*record.release.notes, note))


@repeatable("move :main")
async def move_main(ports: Ports, record: Record) -> None:
    """Point `:main` at the release's image unless that would move it backwards or sideways."""
    release = record.release
    image = await ports.registry.find(ImageReference.parse(release.image))
    if image is None:
        raise ImageMissing(f"{release.image} is gone from the registry: push it again")
    there = await ports.registry.find(ImageReference(image.repository, MAIN))
    if there is not None and there.digest == image.digest:
        return
    if there is not None and not await _is_behind(ports, release, there):
        raise TagConflict(
            f"it stays at {there.digest}, {_where(there, release)}: move it by hand if it has to "
            "follow"
        )
    told = {"repository": image.repository, "tag": MAIN, "digest": str(image.digest)}
    instead_of = str(there.digest) if there else None
    await record.journal(intent("tag", **told, instead_of=instead_of))
    async with record.observing("tag"):
        await ports.registry.tag(image, MAIN)
    await record.journal(observed("tag", digest=str(image.digest)))
    log.info(":%s of %s is %s", MAIN, image.repository, image.digest)


async def _is_behind(ports: Ports, release: Release, there: PublishedImage) -> bool:
    """Whether the commit descends from what `:main` names, by its label, or as it ran here.

    At first contact `:main` is what somebody built by hand, without a label: where it is what ran
    here before, that tells which commit it is of.
    """
    if there.revision is not None:
        return await _is_ancestor(ports, there.labelled, release.commit)
    for each in proven_live(await ports.ledger.history(release.target)):
        if each.id != release.id and each.digest in there.accepted:
            return each.commit is None or await _is_ancestor(ports, each.commit, release.commit)
    return False


async def _is_ancestor(ports: Ports, older: Commit | None, newer: Commit | None) -> bool:
    if older is None or newer is None:
        return False
    return await ports.source.is_ancestor(older, newer)


def _where(there: PublishedImage, release: Release) -> str:
    if there.revision is None:
        return (
            f"which has no revision label and never ran at {release.target}, so nobody can tell "
            "whether it is older: move it by hand once"
        )
    return f"whose revision {there.revision} is no ancestor of {release.commit}"

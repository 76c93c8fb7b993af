"""A rollback up to its first change, by the very steps that it takes itself: nothing is written."""

from dataclasses import replace
from datetime import UTC, datetime

from slipway.domain.candidate import Outlook
from slipway.domain.commit import Commit
from slipway.domain.image import PublishedImage
from slipway.domain.release import Kind, Release, Request, reason
from slipway.errors import ChangeNotAllowed, SlipwayError, TransientError
from slipway.ports import Ports
from slipway.tasks.applying import read_state
from slipway.tasks.deciding import foresee
from slipway.tasks.preflight import at_work, check_way_back, preflight, require
from slipway.tasks.program import choose_program, open_program

Way = tuple[Commit, PublishedImage]


async def look_ahead(ports: Ports, way: Way | None) -> Outlook:
    """What would become of a rollback that is asked for now, whichever image it goes to.

    The preview is made with the image of `way`, and left out without one, or while somebody is at
    work at the stack: then a rollback waits, and what it finds afterwards nobody knows yet.
    """
    before = await _at_work_or_updating(ports)
    tried = None if before else way
    try:
        await _rehearse(ports, tried)
        if not (before or tried):
            require([await check_way_back(ports)])
    except SlipwayError as error:
        if (meanwhile := await at_work(ports)) and not before:
            return Outlook(waits_for=meanwhile)
        beside = isinstance(error, ChangeNotAllowed)
        return Outlook(
            reason(error),
            previewed=tried[0] if tried and beside else None,
            changes_more=beside,
            passing=isinstance(error, TransientError),
            waits_for=before,
        )
    return Outlook(previewed=tried[0] if tried else None, waits_for=before)


async def _at_work_or_updating(ports: Ports) -> str:
    """For whose end a rollback would wait; empty for nobody's, or where that can't be seen."""
    if (ours := await at_work(ports)) != "":
        return ours
    try:
        busy = (await ports.stack.state()).busy
    except SlipwayError:
        return ""  # the rehearsal says why
    return f"stack {ports.target.stack} has an update under way" if busy else ""


async def _rehearse(ports: Ports, way: Way | None) -> None:
    release = _imagined(ports, way)
    await preflight(ports, release.request)
    if way is None:
        return
    commit, image = way
    chosen = await choose_program(ports, commit, image_only=True)
    async with open_program(ports, chosen) as program:
        await foresee(ports, release, program, image, await read_state(ports))


def _imagined(ports: Ports, way: Way | None) -> Release:
    """The release that a rollback would open, as it stands when it decides; in no ledger."""
    target = ports.target
    request = Request(Kind.ROLLBACK, "", "slipway", why="a rehearsal")
    release = Release("rehearsal", target.name, str(target.stack), request, datetime.now(UTC))
    if way is None:
        return release
    commit, image = way
    return replace(
        release,
        commit=commit,
        digest=image.digest,
        image=str(image.named(commit)),
        accepted=image.accepted,
    )

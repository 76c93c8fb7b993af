"""Stay: where a rollback has failed and what was there before was no better, a person chooses."""

import asyncio
import logging

from slipway.domain.candidate import Candidate, Outlook
from slipway.domain.gates import rolled_away_from
from slipway.domain.release import Release
from slipway.errors import SlipwayError
from slipway.ports import Ports
from slipway.tasks.candidates import list_candidates

log = logging.getLogger(__name__)

SHOWN = 5
LOOKS_FOR = 10.0
"""Seconds: who is cancelled has thirty in all."""


async def tell_ways_on(ports: Ports, release: Release) -> str:
    """That a target stays where it is, and to which commits a rollback may go instead, by name.

    What can't be looked up in time is left to the command that lists it.
    """
    target = ports.target.name
    stays = f"{target} stays where it is: what was there before was not healthy either"
    try:
        async with asyncio.timeout(LOOKS_FOR):
            # What decides about all alike is for the next rollback to ask: this one has the lease.
            found = await list_candidates(ports, outlook=Outlook())
    except (SlipwayError, TimeoutError) as error:
        log.warning("the candidates of %s could not be looked up: %s", target, error)
        return f"{stays}; what a rollback may go to: slipway candidates {target}"
    known = {release.commit, rolled_away_from(release)}
    ways = [_told(each) for each in found.listed if each.allowed and each.commit not in known]
    shown = ", ".join(ways[:SHOWN]) or "no other commit with an image"
    return f"{stays}; a rollback may go to {shown}; for more: slipway candidates {target}"


def _told(candidate: Candidate) -> str:
    subject = f": {candidate.info.subject[:50]}" if candidate.info else ""
    return f"{candidate.commit.short} ({', '.join(candidate.states)}{subject})"

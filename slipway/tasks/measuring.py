"""Measures of some targets, from the ledger; git adds when commits were made."""

from collections.abc import Sequence
from datetime import datetime

from slipway.domain.candidate import proven_live
from slipway.domain.commit import Commit
from slipway.domain.journal import EntryKind
from slipway.domain.measures import Measures, Spread, Times, measure, spread
from slipway.domain.release import Kind, Release, State
from slipway.errors import SlipwayError
from slipway.ports import ALL, Ledger, Ports

UPDATES = 10
"""Updates from which it is told how long the next one takes."""


async def measure_targets(every: Sequence[Ports], since: datetime, until: datetime) -> Measures:
    """How releasing went at these targets; without git the lead times are left out."""
    committed: dict[Commit, datetime] = {}
    reached: dict[str, datetime] = {}
    histories = []
    for ports in every:
        history = await ports.ledger.history(ports.target.name, ALL)
        histories.append(history)
        for release in history:
            if release.kind is Kind.DEPLOY and _matters(release, since):
                if (at := await _reached(ports.ledger, release)) is not None:
                    reached[release.id] = at
                if release.commit is not None and release.commit not in committed:
                    made = await _committed(ports, release.commit)
                    committed |= {release.commit: made} if made is not None else {}
    return measure(histories, Times(committed, reached), since, until)


def _matters(release: Release, since: datetime) -> bool:
    ended = release.state in {State.LIVE, State.RESTORED} and release.ended is not None
    return ended and release.ended is not None and release.ended >= since


async def _reached(ledger: Ledger, release: Release) -> datetime | None:
    """When the release's first update was tried."""
    for entry in await ledger.journal(release.id):
        if entry.kind is EntryKind.INTENT and entry.facts.get("step") == "up":
            return datetime.fromtimestamp(entry.at, release.started.tzinfo)
    return None


async def _committed(ports: Ports, commit: Commit) -> datetime | None:
    """When git says that the commit was made; what is not in the mirror is fetched once."""
    for fetched in (False, True):
        try:
            if fetched:
                await ports.source.fetch()
            return datetime.fromisoformat((await ports.source.describe(commit)).committed_at)
        except SlipwayError:
            continue
    return None


async def measure_updates(ports: Ports, newest: int = UPDATES) -> Spread:
    """How long the target's newest updates took from when they began until they were proven."""
    took = []
    for release in proven_live(await ports.ledger.history(ports.target.name))[:newest]:
        reached = await _reached(ports.ledger, release)
        if reached is not None and release.live_since is not None:
            took.append(release.live_since - reached)
    return spread(took)

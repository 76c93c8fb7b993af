"""Measures of some targets, from the ledger; git adds when commits were made."""

from collections.abc import Sequence
from datetime import datetime

from slipway.domain.candidate import proven_live
from slipway.domain.commit import Commit
from slipway.domain.measures import Measures, Spread, Times, measure, spread
from slipway.domain.release import Kind, Release, State
from slipway.errors import SlipwayError
from slipway.ports import Ports

UPDATES = 10
"""Updates from which it is told how long the next one takes."""


async def measure_targets(every: Sequence[Ports], since: datetime, until: datetime) -> Measures:
    """How releasing went at these targets; without git the lead times are left out."""
    committed: dict[Commit, datetime] = {}
    reached: dict[str, datetime] = {}
    histories = []
    for ports in every:
        history = await ports.ledger.history(ports.target.name)
        histories.append(history)
        reached |= await ports.ledger.first_tried(ports.target.name, "up", since)
        for release in history:
            commit = release.commit
            if commit is not None and commit not in committed and _matters(release, since):
                made = await _committed(ports, commit)
                committed |= {commit: made} if made is not None else {}
    return measure(histories, Times(committed, reached), since, until)


def _matters(release: Release, since: datetime) -> bool:
    changed = release.kind is Kind.DEPLOY and release.state in {State.LIVE, State.RESTORED}
    return changed and release.ended is not None and release.ended >= since


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
    live = proven_live(await ports.ledger.history(ports.target.name))[:newest]
    proven = {each.id: each.live_since for each in live if each.live_since is not None}
    if not proven:
        return spread(())
    oldest = min(proven.values())
    began = await ports.ledger.first_tried(ports.target.name, "up", oldest)
    return spread([proven[each] - began[each] for each in proven if each in began])

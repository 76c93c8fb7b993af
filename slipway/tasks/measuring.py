"""Measures of some targets, from the ledger; git adds when commits were made."""

import contextlib
from collections.abc import Collection, Mapping, Sequence
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
        asked = {each.commit for each in history if each.commit and _matters(each, since)}
        committed |= await _committed(ports, asked - {*committed})
    return measure(histories, Times(committed, reached), since, until)


def _matters(release: Release, since: datetime) -> bool:
    changed = release.kind is Kind.DEPLOY and release.state in {State.LIVE, State.RESTORED}
    return changed and release.ended is not None and release.ended >= since


async def _committed(ports: Ports, commits: Collection[Commit]) -> Mapping[Commit, datetime]:
    """When git says that commits were made; what is not in the mirror is fetched, all at once."""
    found = await _described(ports, commits)
    if not (unknown := {*commits} - {*found}):
        return found
    try:
        await ports.source.fetch()
    except SlipwayError:
        return found
    return {**found, **await _described(ports, unknown)}


async def _described(ports: Ports, commits: Collection[Commit]) -> Mapping[Commit, datetime]:
    found = {}
    for commit in commits:
        with contextlib.suppress(SlipwayError):
            described = await ports.source.describe(commit)
            found[commit] = datetime.fromisoformat(described.committed_at)
    return found


async def measure_updates(ports: Ports, newest: int = UPDATES) -> Spread:
    """How long the target's newest updates took from when they began until they were proven."""
    live = proven_live(await ports.ledger.history(ports.target.name))[:newest]
    proven = {each.id: each.live_since for each in live if each.live_since is not None}
    if not proven:
        return spread(())
    oldest = min(proven.values())
    began = await ports.ledger.first_tried(ports.target.name, "up", oldest)
    return spread([proven[each] - began[each] for each in proven if each in began])

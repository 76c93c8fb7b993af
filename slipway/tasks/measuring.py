"""Measures of some targets, from the ledger; git adds when commits were made."""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from slipway.domain.candidate import proven_live
from slipway.domain.commit import Commit
from slipway.domain.measures import Measures, Spread, Times, measure, spread
from slipway.domain.release import Kind, Release, State
from slipway.domain.target import CommitInfo
from slipway.errors import SlipwayError
from slipway.ports import ALL, Ports

UPDATES = 10
"""Updates from which it is told how long the next one takes."""


async def measure_targets(every: Sequence[Ports], since: datetime, until: datetime) -> Measures:
    """How releasing went at these targets; without git the lead times are left out."""
    committed: dict[Commit, datetime] = {}
    reached: dict[str, datetime] = {}
    brought: dict[str, Sequence[Commit]] = {}
    histories = []
    for ports in every:
        history = await ports.ledger.history(ports.target.name)
        histories.append(history)
        reached |= await ports.ledger.first_tried(ports.target.name, "up", since)
        asked = {each.commit for each in history if each.commit and _matters(each, since)}
        committed |= await _committed(ports, asked - {*committed})
        for release_id, infos in (await _brought(ports, history, since)).items():
            brought[release_id] = [each.commit for each in infos]
            committed |= {each.commit: datetime.fromisoformat(each.committed_at) for each in infos}
    return measure(histories, Times(committed, reached, brought), since, until)


def _matters(release: Release, since: datetime) -> bool:
    changed = release.kind is Kind.DEPLOY and release.state in {State.LIVE, State.RESTORED}
    return changed and release.ended is not None and release.ended >= since


async def _brought(
    ports: Ports, history: Sequence[Release], since: datetime
) -> Mapping[str, Sequence[CommitInfo]]:
    """Which commits that change the service each live deploy had, and the one before it had not."""
    deploys = [each for each in proven_live(history) if each.kind is not Kind.ROLLBACK]
    found: dict[str, Sequence[CommitInfo]] = {}
    for each, before in pairwise(deploys):
        if each.commit is None or before.commit is None or not _matters(each, since):
            continue
        with contextlib.suppress(SlipwayError):
            service = ports.target.service
            found[each.id] = await ports.source.touching(service, each.commit, before.commit, ALL)
    return found


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

"""Gathers what the decision about a push needs to know."""

import math
from collections.abc import Sequence
from dataclasses import replace

from slipway.domain.commit import Commit
from slipway.domain.delivery import WORKFLOW_RUN, Push, PushAt, StartedRun
from slipway.domain.pushed import SourceFacts, TargetFacts
from slipway.domain.release import Release, State
from slipway.domain.target import Service, Target
from slipway.ports import Inbox, Ledger, SourceRepository
from slipway.webhook.last_run import changes
from slipway.webhook.watched import SharedSource

RECENT = 50
"""Releases among which the one that is live is looked for."""


async def about_target(
    at: PushAt, target: Target, ledger: Ledger, inbox: Inbox, source: SourceRepository
) -> TargetFacts:
    """What ledger and inbox say of the target of a push."""
    history = await _back_to_live(target.name, ledger)
    live = [each for each in history if each.state is State.LIVE]
    asked, newer = await _before(at, live, inbox, source)
    return TargetFacts(
        target.name,
        live[0].commit if live else None,
        settled=_is_settled(history),
        was_live=list(dict.fromkeys(filter(None, (each.commit for each in live)))),
        asked=asked,
        newer=newer,
        vetoes=await ledger.vetoes(target.name),
    )


async def _back_to_live(target: str, ledger: Ledger) -> Sequence[Release]:
    """The newest releases, so many that what is live is among them: every push asks for it."""
    recent = await ledger.history(target, RECENT)
    if len(recent) < RECENT or any(each.state is State.LIVE for each in recent):
        return recent
    return await ledger.history(target)


def _is_settled(history: Sequence[Release]) -> bool:
    """Whether what is live runs: what is under way, or needs a person, may have changed it.

    `history` is newest first.
    """
    last = next((each for each in history if changes(each)), None)
    in_doubt = last is not None and last.state is State.NEEDS_ATTENTION
    return not in_doubt and not any(each.is_open for each in history)


async def _before(
    at: PushAt, live: Sequence[Release], inbox: Inbox, source: SourceRepository
) -> tuple[StartedRun | None, PushAt | None]:
    """What was started for the pushed commit or a newer one, and a newer one that was received."""
    after = at.push.after
    started = [each for each in await inbox.started(at.target) if not _is_replaced(each, live)]
    # The end of a workflow says nothing of commits whose image is not built yet.
    received = [
        each.push
        for each in await inbox.received_at(at.target)
        if (each.push.event == WORKFLOW_RUN) == (at.event == WORKFLOW_RUN)
        and each.push.push.branch == at.push.branch
        and not each.never_arrived
    ]
    commits = [each.commit for each in started] + [each.push.after for each in received]
    behind = await source.behind([after, *dict.fromkeys(commits)], at.push.branch)
    if after not in behind:
        return None, None
    asked = [each for each in started if behind.get(each.commit, math.inf) <= behind[after]]
    newer = [each for each in received if behind.get(each.push.after, math.inf) < behind[after]]
    return (
        min(asked, key=lambda each: behind[each.commit], default=None),
        min(newer, key=lambda each: behind[each.push.after], default=None),
    )


def _is_replaced(started: StartedRun, live: Sequence[Release]) -> bool:
    """Whether it was live, and another commit is since: who pushes it again wants it again."""
    if not live or live[0].commit == started.commit:
        return False
    since = live[0].live_since
    was_live = any(each.commit == started.commit for each in live)
    return was_live and since is not None and since > started.started


async def is_wanted(
    lost: StartedRun, pushes: Sequence[Push], service: Service, source: SharedSource
) -> bool:
    """Whether what was pushed last still builds what the run was to deploy: it may be reverted."""
    branch = lost.push.push.branch
    behind = await source.behind_now([lost.commit, *(each.after for each in pushes)], branch)
    if lost.commit not in behind:
        return False
    newest, repository = min(behind, key=behind.__getitem__), source.repository
    if not await repository.has_folder(newest, service.folder):
        return False
    wanted = await repository.build_inputs(lost.commit, service)
    return wanted == await repository.build_inputs(newest, service)


async def about_source(
    push: Push,
    target: Target,
    here: TargetFacts,
    pushes: Sequence[Push],
    source: SourceRepository,
    *,
    on_line: bool,
) -> SourceFacts:
    """What the repository says of the push; of a commit that is gone, only that.

    `pushes` are those to its branch that were received lately.
    """
    after, before, live = push.after, push.before, here.live
    if not on_line:
        return SourceFacts(on_main_line=False, extends_before=False, has_folder=False)
    known = SourceFacts(
        on_main_line=True,
        extends_before=before is None or await source.is_ancestor(before, after),
        has_folder=await source.has_folder(after, target.service.folder),
        rewritten_by=await _rewritten_by(push, pushes, here.was_live, source),
        extends_live=live is None,
    )
    if live is None:
        return known
    if not await source.is_ancestor(live, after):
        return replace(known, live_descends=await source.is_ancestor(after, live))
    theirs = await source.build_inputs(live, target.service)
    return replace(
        known,
        extends_live=True,
        live_descends=after == live,
        same_inputs=theirs == await source.build_inputs(after, target.service),
        changed=await source.changed_files(live, after),
    )


async def _rewritten_by(
    push: Push, pushes: Sequence[Push], was_live: Sequence[Commit], source: SourceRepository
) -> Push | None:
    """The newest push that rewrote what the pushed commit holds, and that was never live.

    Git is asked one by one only where the branch's line does not tell, as it does of nearly all.
    """
    moves = [(each, each.before) for each in dict.fromkeys(pushes) if each.before is not None]
    named = {commit for each, before in moves for commit in (each.after, before)}
    behind = await source.behind(sorted(named | {*was_live}), push.branch)
    deployed = min((behind[each] for each in was_live if each in behind), default=math.inf)
    for each, before in moves:
        place = behind.get(each.after, -1)
        if place >= deployed or 0 <= place <= behind.get(before, -1):
            continue
        if await source.is_ancestor(before, each.after):
            continue
        if not await source.is_ancestor(each.after, push.after):
            continue
        if not await _is_in_any(each.after, was_live, source):
            return each
    return None


async def _is_in_any(commit: Commit, others: Sequence[Commit], source: SourceRepository) -> bool:
    for each in others:
        if await source.is_ancestor(commit, each):
            return True
    return False

"""Gathers what the decision about a push needs to know."""

from collections.abc import Sequence
from dataclasses import replace

from slipway.domain.commit import Commit
from slipway.domain.delivery import Push, StartedRun
from slipway.domain.pushed import SourceFacts, TargetFacts
from slipway.domain.release import State
from slipway.domain.target import Service, Target
from slipway.ports import Ledger, SourceRepository
from slipway.webhook.watched import SharedSource

RECENT = 50
"""Releases among which the one that is live is looked for."""


async def about_target(target: Target, ledger: Ledger, asked: StartedRun | None) -> TargetFacts:
    """What the ledger says of the target."""
    history = await ledger.history(target.name, RECENT)
    live = [each for each in history if each.state is State.LIVE]
    return TargetFacts(
        target.name,
        live[0].commit if live else None,
        settled=not any(each.is_open for each in history),
        was_live=list(dict.fromkeys(filter(None, (each.commit for each in live)))),
        asked=asked,
        holds=await ledger.holds(target.name),
        vetoes=await ledger.vetoes(target.name),
    )


async def asked_before(
    push: Push, started: Sequence[StartedRun], source: SourceRepository
) -> StartedRun | None:
    """What was started before for the pushed commit, or for a newer one of its branch."""
    commits = [push.after, *(each.commit for each in started)]
    behind = await source.behind(commits, push.branch)
    if push.after not in behind:
        return None
    newest = min(
        (each for each in started if each.commit in behind),
        key=lambda each: behind[each.commit],
        default=None,
    )
    if newest is None or behind[newest.commit] > behind[push.after]:
        return None
    return newest


async def is_wanted(
    lost: StartedRun, pushes: Sequence[Push], service: Service, source: SharedSource
) -> bool:
    """Whether what was pushed last still builds what the run was to deploy: it may be reverted."""
    branch = lost.push.push.branch
    behind = await source.behind([lost.commit, *(each.after for each in pushes)], branch)
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
        rewritten_by=await _not_deployed_yet(
            await _rewrites(push, pushes, source), here.was_live, source
        ),
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


async def _rewrites(push: Push, pushes: Sequence[Push], source: SourceRepository) -> list[Push]:
    """The pushes that rewrote the branch, and whose commits the pushed one contains."""
    moves = [(each, each.before) for each in dict.fromkeys(pushes) if each.before is not None]
    named = {commit for each, before in moves for commit in (each.after, before)}
    behind = await source.behind(sorted(named), push.branch)

    async def is_rewrite(after: Commit, before: Commit) -> bool:
        if after in behind and behind.get(before, -1) >= behind[after]:
            return False  # on one line, as nearly all are: git need not be asked
        return not await source.is_ancestor(before, after)

    return [
        each
        for each, before in moves
        if await is_rewrite(each.after, before) and await source.is_ancestor(each.after, push.after)
    ]


async def _not_deployed_yet(
    rewrites: Sequence[Push], was_live: Sequence[Commit], source: SourceRepository
) -> Push | None:
    """The newest of them that is in nothing of what was live: nobody has said that it is meant."""
    for each in rewrites:
        for commit in was_live:
            if await source.is_ancestor(each.after, commit):
                break
        else:
            return each
    return None

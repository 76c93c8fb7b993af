"""Gathers what the decision about a push needs to know."""

from collections.abc import Sequence

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
    live = next((each for each in history if each.state is State.LIVE), None)
    return TargetFacts(
        target.name,
        live.commit if live else None,
        settled=not any(each.is_open for each in history),
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
    push: Push, target: Target, live: Commit | None, source: SourceRepository, *, on_line: bool
) -> SourceFacts:
    """What the repository says of the push; of a commit that is gone, only that."""
    after, before = push.after, push.before
    if not on_line:
        return SourceFacts(on_main_line=False, extends_before=False, has_folder=False)
    extends_before = before is None or await source.is_ancestor(before, after)
    has_folder = await source.has_folder(after, target.service.folder)
    if live is None or not await source.is_ancestor(live, after):
        return SourceFacts(
            on_main_line=True,
            extends_before=extends_before,
            has_folder=has_folder,
            live_descends=live is not None and await source.is_ancestor(after, live),
            extends_live=live is None,
        )
    theirs = await source.build_inputs(live, target.service)
    return SourceFacts(
        on_main_line=True,
        extends_before=extends_before,
        has_folder=has_folder,
        live_descends=after == live,
        same_inputs=theirs == await source.build_inputs(after, target.service),
        changed=await source.changed_files(live, after),
    )

"""Gates: holds, vetoes and order at a target, as the ledger and the cluster tell them."""

import logging
from collections.abc import Collection, Sequence

from slipway.domain.commit import Commit
from slipway.domain.gates import came_later, require_unheld, require_unvetoed, shown_hold
from slipway.domain.hold import Barred, Hold, Lift
from slipway.domain.image import Digest, ImageReference
from slipway.domain.release import Kind, Release
from slipway.domain.workloads import Workloads
from slipway.errors import SlipwayError, Vetoed
from slipway.ports import Ports
from slipway.tasks.commits import live_commit, require_forward
from slipway.tasks.policies import repeatable

log = logging.getLogger(__name__)


@repeatable("check vetoes")
async def check_vetoes(ports: Ports, release: Release, digest: Digest | None = None) -> None:
    """Refuse a vetoed commit; to automation also another commit's name for a vetoed image."""
    if release.kind is not Kind.DEPLOY or release.commit is None:
        return
    vetoes = await ports.ledger.vetoes(ports.target.name)
    require_unvetoed(ports.target.name, release.commit, vetoes, release.request)
    if digest is None or not vetoes or not release.request.automatic:
        return
    barred = await find_barred(ports, await ports.ledger.history(ports.target.name))
    for each in vetoes:
        if barred.images.get(digest) == each.commit:
            raise Vetoed(
                f"commit {release.commit} has the image of {each.commit}, {digest}, which "
                f"automation must not deploy to {ports.target.name}: {each.reason}; deploy a newer "
                "commit"
            )


async def find_barred(ports: Ports, history: Sequence[Release]) -> Barred:
    """What vetoes keep away: commits, and every image that each was published or released with."""
    commits = {each.commit for each in await ports.ledger.vetoes(ports.target.name)}
    images = {
        each.digest: each.commit
        for each in history
        if each.digest is not None and each.commit is not None and each.commit in commits
    }
    for each in commits:
        tag = ImageReference(ports.target.service.repository, each.sha)
        if (published := await ports.ledger.published(tag)) is not None:
            images[published] = each
    return Barred(frozenset(commits), images)


@repeatable("check holds")
async def check_holds(ports: Ports, release: Release) -> None:
    """Refuse automation at a held target, and a person without a reason, or unaware of the hold."""
    if release.kind is Kind.DEPLOY:
        holds = await ports.ledger.holds(ports.target.name)
        require_unheld(ports.target.name, holds, release)


@repeatable("check the order")
async def check_order(ports: Ports, release: Release) -> None:
    """Refuse a deploy of what is older than what is live, before anything is built for it.

    What another release is about to make live may never be: that is judged once it has ended, by
    whoever has the lease.
    """
    unfinished = await ports.ledger.unfinished(str(ports.target.stack))
    others = {
        each.commit
        for each in unfinished
        if each.target == release.target and each.id != release.id
    }
    seen = await ports.cluster.observe(ports.target.workload)
    await require_in_order(ports, release, seen, undecided=others)


async def require_in_order(
    ports: Ports,
    release: Release,
    seen: Workloads | None,
    undecided: Collection[Commit | None] = (),
) -> None:
    """Refuse a deploy that would go back; a rollback is meant to."""
    if seen is None or release.kind is not Kind.DEPLOY or release.commit is None:
        return
    live = await live_commit(ports, seen.image)
    if live in undecided:
        return
    automatic = release.request.automatic
    await require_forward(ports, release.commit, live, automatic=automatic)


async def holds_overcome(ports: Ports, release: Release) -> dict[str, Lift | None]:
    """What becomes of each hold once a person's deploy is live, in words: lifted, or it stays.

    Where that can't be told it is reported, and all of them stay.
    """
    if release.kind is not Kind.DEPLOY or release.request.automatic or release.commit is None:
        return {}
    try:
        return await _looked_at(ports, release, release.commit)
    except SlipwayError as error:
        log.warning("holds of %s are not lifted: %s", ports.target.name, error)
        return {}


@repeatable("look at what is overcome")
async def _looked_at(ports: Ports, release: Release, commit: Commit) -> dict[str, Lift | None]:
    holds = await ports.ledger.holds(ports.target.name)
    stay = {each.number: await _why_it_stays(ports, release, commit, each) for each in holds}
    by, why = release.request.requested_by, f"release {release.id} made {commit} live"
    return {
        f"{shown_hold(each)}: {stay[each.number] or 'it is over, automation goes on'}": (
            None if stay[each.number] else Lift(each.number, by, why)
        )
        for each in holds
    }


async def _why_it_stays(ports: Ports, release: Release, commit: Commit, hold: Hold) -> str:
    if came_later(hold, release):
        return "it stays, it was placed after this was asked for"
    about = hold.about
    if about is not None and (about == commit or not await ports.source.is_ancestor(about, commit)):
        return f"it stays, {commit.short} is not newer than {about.short}"
    return ""

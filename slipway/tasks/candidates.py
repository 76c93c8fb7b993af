"""Every commit that a target could go back to, judged by what the rollback itself accepts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from slipway.domain.acceptance import Published, Surroundings, acceptable
from slipway.domain.candidate import Candidate, Outlook, newest_first, states_at
from slipway.domain.commit import Commit
from slipway.domain.hold import Barred
from slipway.domain.image import ImageReference
from slipway.domain.release import Release
from slipway.domain.target import CommitInfo
from slipway.errors import (
    ImageMissing,
    NothingToRollBackTo,
    PermanentError,
    PlatformMissing,
    UnknownCommit,
)
from slipway.ports import Ports
from slipway.tasks.asking import each_of
from slipway.tasks.gates import find_barred
from slipway.tasks.rehearsing import Way, look_ahead
from slipway.tasks.ways_back import default_way_back, look_up, surroundings

AT_ONCE = 16
NEWEST = 20
"""Candidates that are looked up unless somebody asks for more."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """A target's candidates, newest first."""

    listed: Sequence[Candidate]
    no_default: str
    """Why a rollback to `previous` would be refused; empty when it goes somewhere."""
    left_out: int = 0
    """Older ones that were not looked up."""
    outlook: Outlook = field(default_factory=Outlook)
    """What decides about all of them alike."""


@dataclass(frozen=True, slots=True)
class _View:
    """What is known of every candidate alike."""

    there: Surroundings
    history: Sequence[Release]
    barred: Barred
    places: Mapping[Commit, int | None]
    default: Commit | None


async def list_candidates(
    ports: Ports, limit: int = NEWEST, *, preview: bool = True, outlook: Outlook | None = None
) -> Candidates:
    """The newest `limit` commits with an image, and whether a rollback to each is accepted now.

    What decides about all alike is looked at once: what else a preview changes hardly depends on
    the image. `outlook` is what was seen of it a moment ago; else it is looked at, without its
    `preview` if that is not wanted.
    """
    await ports.source.fetch()
    history = await ports.ledger.history(ports.target.name)
    there = await surroundings(ports)
    places = await _places(ports, history)
    default, no_default = await _default(ports, there)
    view = _View(there, history, await find_barred(ports, history), places, default)
    # The default is always looked up, however old it is.
    chosen = dict.fromkeys([*list(places)[:limit], *([default] if default else [])])

    async def one(commit: Commit) -> tuple[Candidate, Published]:
        found = await look_up(ports, commit, history)
        return _candidate(view, found, await _described(ports, commit)), found

    looked = await each_of(chosen, one, AT_ONCE)
    seen = outlook or await look_ahead(ports, _typical(looked) if preview else None)
    listed = newest_first(each.under(seen) for each, _ in looked)
    return Candidates(listed, no_default, max(len(places) - len(listed), 0), seen)


def _typical(looked: Iterable[tuple[Candidate, Published]]) -> Way | None:
    """The way back to preview: the default one, else the newest that could be gone."""
    ways = [
        (each.is_default, (found.commit, found.image))
        for each, found in looked
        if found.image is not None and not each.refusal
    ]
    return max(ways, key=lambda each: each[0])[1] if ways else None


async def _places(ports: Ports, history: Sequence[Release]) -> Mapping[Commit, int | None]:
    """Every commit that has or had an image, newest first: how far it is behind the branch."""
    repository = ports.target.service.repository
    tags = {*await ports.registry.tags(repository), *await ports.ledger.published_tags(repository)}
    named = (ImageReference(repository, tag).commit for tag in tags)
    commits = {each for each in named if each is not None}
    commits |= {each.commit for each in history if each.commit and each.live_since}
    behind = await ports.source.behind(sorted(commits), ports.target.branch)
    on_line = sorted(behind, key=lambda each: behind[each])
    return {**{each: behind[each] for each in on_line}, **dict.fromkeys(commits - {*behind})}


async def _default(ports: Ports, there: Surroundings) -> tuple[Commit | None, str]:
    try:
        commit, _ = await default_way_back(ports, there)
    except NothingToRollBackTo as error:
        return None, str(error)
    return commit, ""


async def _described(ports: Ports, commit: Commit) -> CommitInfo | None:
    try:
        return await ports.source.describe(commit)
    except UnknownCommit:
        return None


def _candidate(view: _View, found: Published, info: CommitInfo | None) -> Candidate:
    commit = found.commit
    digest = found.image.digest if found.image else found.recorded
    vetoed = view.barred.bars(commit, digest)
    states, until = states_at(view.history, commit, vetoed=vetoed)
    refusal = ""
    try:
        acceptable(found, view.there)
    except PermanentError as error:
        refusal = str(error)
        states = _with_image_state(states, found, error)
    return Candidate(
        commit,
        view.places.get(commit),
        states,
        digest,
        info,
        until,
        refusal,
        commit == view.default,
    )


def _with_image_state(
    states: tuple[str, ...], found: Published, error: PermanentError
) -> tuple[str, ...]:
    """What is wrong with its image comes before what its history tells."""
    if found.image is None:
        return ("tag overwritten" if found.overwritten else "image gone", *states)
    if isinstance(error, ImageMissing):
        return ("image not whole", *states)
    return ("wrong platform", *states) if isinstance(error, PlatformMissing) else states

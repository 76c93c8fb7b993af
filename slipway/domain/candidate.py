"""Which commits a target could go back to, and what is known of each there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from slipway.domain.commit import Commit
from slipway.domain.image import Digest
from slipway.domain.release import Kind, Release, State
from slipway.domain.target import CommitInfo


def proven_live(history: Iterable[Release]) -> list[Release]:
    """The releases of one target that were proven live or adopted, newest first."""
    live = [each for each in history if each.state is State.LIVE and each.live_since is not None]
    return sorted(live, key=live_since, reverse=True)


def present(history: Iterable[Release]) -> Release | None:
    """The release whose image is live now, as far as the ledger knows."""
    return next(iter(proven_live(history)), None)


def newest_deploy(history: Iterable[Release]) -> Release | None:
    """The newest deploy that went live: where `:main` is left, whatever was rolled back since."""
    return next((each for each in proven_live(history) if each.kind is Kind.DEPLOY), None)


def live_since(release: Release) -> float:
    """When a release was proven live, in seconds, to be compared; 0 for one that never was."""
    return release.live_since.timestamp() if release.live_since is not None else 0.0


CHANGES_MORE = "preview changes more"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of a rollback that is asked for now, whichever image it goes to."""

    refusal: str = ""
    """Why it would be refused, with the reason's code first; empty when it would not be."""
    previewed: Commit | None = None
    """With whose image it was previewed; None where it was not."""
    changes_more: bool = False
    """The refusal is the guard's: the preview changes more than the image."""
    passing: bool = False
    """The refusal is that something could not be reached."""
    waits_for: str = ""
    """Who is at work at the stack, for whose end it would wait; empty for nobody."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A commit that has, or had, an image, and whether a rollback to it would be allowed."""

    commit: Commit
    behind: int | None
    """How many commits of the main line are newer; None when it is not on it."""
    states: tuple[str, ...]
    """What is known of it at this target, most telling first: `live`, `image gone`, …"""
    digest: Digest | None = None
    info: CommitInfo | None = None
    """None when git does not know the commit."""
    last_live: datetime | None = None
    """Until when it was live here; None for what is live or never was."""
    refusal: str = ""
    """What about it, or about its image, is refused; empty when it would be accepted."""
    is_default: bool = False
    """Whether a rollback to `previous` goes there."""
    not_now: str = ""
    """Why a rollback to any image would be refused now; empty when it would not be."""
    previewed: bool = False
    """Whether a preview has shown what else an update would change; else that may still refuse."""

    @property
    def allowed(self) -> bool:
        """Whether a rollback to it would be accepted now."""
        return not self.refusal and not self.not_now

    def under(self, outlook: Outlook) -> "Candidate":
        """The same candidate, where a rollback to any image has this outlook."""
        previewed = outlook.previewed is not None
        if self.refusal or not outlook.refusal:
            return replace(self, previewed=previewed)
        more = (CHANGES_MORE,) if outlook.changes_more else ()
        states = (*more, *self.states)
        return replace(self, not_now=outlook.refusal, states=states, previewed=previewed)


def states_at(
    history: Sequence[Release], commit: Commit, *, vetoed: bool
) -> tuple[tuple[str, ...], datetime | None]:
    """What a target's history says of a commit, and until when it was live there."""
    live = proven_live(history)
    mine = [each for each in history if each.commit == commit]
    told: list[str] = []
    until = None
    if live and live[0].commit == commit:
        told.append("live")
    elif any(each.commit == commit for each in live):
        newest = next(place for place, each in enumerate(live) if each.commit == commit)
        until = live[newest - 1].live_since
        told.append("was live")
    if vetoed:
        told.append("vetoed")
    if any(each.kind is Kind.ADOPTED for each in mine):
        told.append("adopted")
    if any(each.state is State.RESTORED for each in mine):
        told.append("restored")
    if not told:
        told.append("never released" if not mine else "never live")
    return tuple(told), until


def newest_first(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Along the main line; what is not on it comes last, by when it was committed."""
    by_time = sorted(
        candidates, key=lambda each: each.info.committed_at if each.info else "", reverse=True
    )
    return sorted(by_time, key=lambda each: (each.behind is None, each.behind or 0))

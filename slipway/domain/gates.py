"""Gates: what holds, vetoes and order forbid, and what a release leaves behind for later ones."""

from collections.abc import Sequence
from datetime import datetime

from slipway.domain.commit import Commit
from slipway.domain.hold import Hold, NewHold, NewVeto, Veto
from slipway.domain.image import ImageReference
from slipway.domain.release import Kind, Release, Request, State, code_of
from slipway.errors import Held, InvalidInput, ReasonMissing, Vetoed

DISPROVEN = "disproven"
AUTOMATION = "slipway"


def came_later(hold: Hold, release: Release) -> bool:
    """Whether who asked for a release could not know of a hold, nor agree to end it."""
    return hold.since > release.started


def require_unheld(target: str, holds: Sequence[Hold], release: Release) -> None:
    """Refuse automation while somebody wants it to pause at the target.

    A person passes what stood when they asked, and says why; of any later hold they did not know.
    """
    request = release.request
    if not request.automatic:
        _require_known(target, holds, release)
    if not holds or (request.why.strip() and not request.automatic):
        return
    if not request.automatic:
        raise ReasonMissing(
            f"automation is paused at {target}: {shown_hold(holds[-1])}; a person may deploy all "
            "the same, and says why: with --reason TEXT, or in Prefect's form as `why`"
        )
    raise Held(
        f"automation is paused at {target}: {shown_hold(holds[-1])}; the image is published. "
        f"A person may deploy it, with a reason; slipway release-hold {target} --reason … ends the "
        "pause"
    )


def _require_known(target: str, holds: Sequence[Hold], release: Release) -> None:
    for each in holds:
        if came_later(each, release):
            raise Held(
                f"automation was paused at {target} after this was asked for: {shown_hold(each)}; "
                "nothing was deployed. Knowing that, it may be asked for again: slipway deploy "
                f"{target} {release.commit or release.request.wanted} --reason …"
            )


def require_reason(target: str, request: Request) -> None:
    """Refuse a rollback without a reason: it would leave a hold that tells nobody anything."""
    if request.kind is Kind.ROLLBACK and not request.why.strip():
        raise ReasonMissing(
            f"a rollback of {target} pauses automation there: say why, with --reason TEXT, or in "
            "Prefect's form as `why`"
        )


def require_unvetoed(target: str, commit: Commit, vetoes: Sequence[Veto], request: Request) -> None:
    """Refuse a commit that must not be deployed there, unless a person says why it may."""
    standing = next((each for each in vetoes if each.commit == commit), None)
    if standing is None or (request.options.even_if_vetoed and not request.automatic):
        return
    raise Vetoed(
        f"commit {commit} must not be deployed to {target}: {shown_veto(standing)}; deploy a "
        "newer commit, or, knowing better, this one with --even-if-vetoed REASON"
    )


def left_by(release: Release, away_from: Commit | None = None) -> NewHold | NewVeto | None:
    """What a release leaves behind in the state that it has just reached.

    `away_from` is the commit that a rollback keeps away where its own baseline does not tell.
    A rollback that is live stays: automation pauses. An image that was measured bad is not tried
    again by automation; a cancel, a conflict, credentials or an engine's error say nothing of it,
    nor do pods that could not be pulled or placed.
    """
    if release.kind is Kind.ROLLBACK and release.state is State.LIVE:
        request = release.request
        return NewHold(
            request.why, request.requested_by, about=away_from or rolled_away_from(release)
        )
    ends = State.NEEDS_ATTENTION if release.stays else State.RESTORING
    bad = release.state is ends and code_of(release.reason) == DISPROVEN
    if bad and release.commit is not None:
        return NewVeto(release.commit, release.reason, AUTOMATION)
    return None


def shown_left(left: NewHold | NewVeto, target: str) -> str:
    """What was left behind, for the release's notes."""
    if isinstance(left, NewVeto):
        return f"automation will not deploy {left.commit.short} to {target} again: it is vetoed"
    return (
        f"automation is paused at {target} until a person's deploy of a newer commit is live, or "
        f"slipway release-hold {target} --reason …"
    )


def rolled_away_from(release: Release) -> Commit | None:
    """The commit that a rollback left, by the image that the pod template asked for before it."""
    before = release.baseline.spec_image if release.baseline else None
    if not before:
        return None
    try:
        return ImageReference.parse(before).commit
    except InvalidInput:
        return None


def shown_hold(hold: Hold) -> str:
    """A hold in words."""
    until = f", until {_shown(hold.until)}" if hold.until else ""
    return f"held since {_shown(hold.since)} by {hold.by}{until}: {hold.reason}"


def shown_veto(veto: Veto) -> str:
    """A veto in words."""
    return f"vetoed since {_shown(veto.since)} by {veto.by}: {veto.reason}"


def _shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")

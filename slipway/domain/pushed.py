"""What a push means for one target: a deploy, or one of the reasons why not."""

from collections.abc import Sequence
from dataclasses import dataclass

from slipway.domain.commit import Commit
from slipway.domain.delivery import NOT_ON_LINE, Ending, Outcome, Push, PushAt, StartedRun
from slipway.domain.gates import shown_hold, shown_veto
from slipway.domain.hold import Hold, Veto

FILES_NAMED = 10


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What the repository says of a push, beside what is live."""

    on_main_line: bool
    extends_before: bool
    """Whether the branch's commit before the push is an ancestor of the pushed one."""
    has_folder: bool
    rewritten_by: Push | None = None
    """An earlier push that rewrote the branch, and that nobody has deployed here since."""
    live_descends: bool = False
    """Whether what is live descends from the pushed commit, or is it."""
    extends_live: bool = True
    same_inputs: bool = False
    """Whether the build can see any difference from what is live."""
    changed: Sequence[str] = ()
    """The files that differ from what is live."""


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What the ledger says of a target."""

    name: str
    live: Commit | None
    """What was released last; None where nothing is known to be live."""
    settled: bool
    """Whether what is live stays so: nothing is under way, or has left it in doubt."""
    was_live: Sequence[Commit] = ()
    """What has been proven live here lately, `live` among them."""
    asked: StartedRun | None = None
    """What a delivery has started before for this commit, or for a newer one."""
    newer: PushAt | None = None
    """A push of a newer commit that was received for it, whatever has become of that."""
    vetoes: Sequence[Veto] = ()


def run_started(commit: Commit, target: str, holds: Sequence[Hold], run: str) -> Ending:
    """How a delivery ends whose run was started: at a held target the run only publishes."""
    if not holds:
        return Ending(Outcome.STARTED, f"started: deploy of {commit}", run)
    return Ending(
        Outcome.HELD,
        f"held: {shown_hold(holds[-1])}; run {run} publishes the image and ends there. "
        f"{_person_may(commit, target)}",
        run,
    )


def folder_absent(commit: Commit) -> Ending:
    """How a push ends that deletes what is deployed: an alert, and no deploy."""
    return Ending(
        Outcome.REFUSED,
        f"folder-absent: the service's folder does not exist at {commit}; what is live stays: "
        "remove the target, or bring the folder back",
    )


def judge_push(push: Push, source: SourceFacts, target: TargetFacts) -> Ending | None:
    """Why nothing is started, or None: start a deploy, which at a held target only publishes.

    A push that rewrote history waits for a person, and so does every later one until somebody has
    deployed what was rewritten: automation would deploy the one by the other. At a target whose
    live commit is no ancestor any more, nobody needs to have received the push that did it.
    """
    after = push.after
    if not source.on_main_line:
        return Ending(
            Outcome.REFUSED,
            f"{NOT_ON_LINE}: {after} is not in the first-parent history of {push.branch} now",
        )
    if (rewritten := _rewritten(push, source, target)) is not None:
        return _waits_for_a_person(rewritten, after, target)
    if not source.has_folder:
        return folder_absent(after)
    return (
        _by_what_is_live(after, source, target)
        or _by_what_was_asked(target)
        or _by_what_was_received(target)
        or _by_rewrites(after, source, target)
        or _by_vetoes(after, target)
    )


def _rewritten(push: Push, source: SourceFacts, target: TargetFacts) -> str | None:
    if push.before is not None and not source.extends_before:
        return f"{push.before} was on {push.branch} before, and is no ancestor of {push.after}"
    if target.live is not None and not (source.extends_live or source.live_descends):
        return f"{target.live} is live, and is no ancestor of {push.after}"
    return None


def _waits_for_a_person(rewritten: str, after: Commit, target: TargetFacts) -> Ending:
    return Ending(
        Outcome.HELD,
        f"history-rewritten: {rewritten}; if it is meant: slipway deploy {target.name} {after}",
    )


def _by_what_is_live(after: Commit, source: SourceFacts, target: TargetFacts) -> Ending | None:
    live = target.live
    if live is None:
        return None
    if after == live and target.settled:
        return Ending(Outcome.UNCHANGED, f"unchanged: {after} is live already")
    if source.live_descends and after != live:
        return Ending(Outcome.SUPERSEDED, f"superseded: {live}, which is newer, is live already")
    if source.same_inputs and target.settled:
        return Ending(
            Outcome.UNCHANGED,
            f"unchanged: the build can't see what differs from {live}, which is live: "
            f"{_named(source.changed)}",
        )
    return None


def _by_what_was_asked(target: TargetFacts) -> Ending | None:
    if target.asked is None:
        return None
    run, commit = target.asked.run, target.asked.commit
    return Ending(Outcome.SUPERSEDED, f"superseded: run {run} was started before for {commit}", run)


def _by_what_was_received(target: TargetFacts) -> Ending | None:
    """What was pushed since may have taken it back, and nobody asks for that a second time."""
    newer = target.newer
    if newer is None:
        return None
    why = f"superseded: {newer.push.after}, which is newer, was received as {newer.delivery}"
    return Ending(Outcome.SUPERSEDED, why)


def _by_rewrites(after: Commit, source: SourceFacts, target: TargetFacts) -> Ending | None:
    push = source.rewritten_by
    if push is None:
        return None
    rewritten = f"{after} contains {push.after}, for which a push has given up {push.before}, and "
    return _waits_for_a_person(f"{rewritten}nobody has deployed that here yet", after, target)


def _by_vetoes(after: Commit, target: TargetFacts) -> Ending | None:
    for veto in target.vetoes:
        if veto.commit == after:
            why = f"vetoed: {shown_veto(veto)}; {_person_may(after, target.name)}"
            return Ending(Outcome.REFUSED, why)
    return None


def _person_may(commit: Commit, target: str) -> str:
    return f"a person may: slipway deploy {target} {commit}"


def _named(files: Sequence[str]) -> str:
    if not files:
        return "no file at all"
    more = len(files) - FILES_NAMED
    named = ", ".join(files[:FILES_NAMED])
    return f"{named} and {more} more" if more > 0 else named

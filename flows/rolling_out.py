"""What deploy and rollback share: from the decision to an end that is proven, live or restored."""

import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Iterator

from slipway.domain.config import ConfigSnapshot
from slipway.domain.fitness import the_ready_digest
from slipway.domain.image import PublishedImage
from slipway.domain.redaction import redacted
from slipway.domain.release import PREVIOUS, Baseline, Kind, Phase, Release, State, reason
from slipway.domain.rollout import Expectation
from slipway.errors import (
    AccessDenied,
    ChangeNotAllowed,
    ConfigConflict,
    ConfigKeyUnusable,
    ConfigRejected,
    ImageDisproven,
    Interrupted,
    LeaseLost,
    NothingToRollBackTo,
    ReleaseChanged,
    SlipwayError,
    Unproven,
)
from slipway.ports import Ports, ProgramRevision
from slipway.tasks.applying import apply
from slipway.tasks.deciding import Decision, decide
from slipway.tasks.gates import holds_overcome
from slipway.tasks.pinning import ATTEMPTS, pin, unpin
from slipway.tasks.policies import SECONDS_BETWEEN_TRIES, with_tries
from slipway.tasks.program import Program
from slipway.tasks.record import Record
from slipway.tasks.restoring import may_be_applied, read_back, reapply
from slipway.tasks.settling import settle
from slipway.tasks.staying import tell_ways_on
from slipway.tasks.verifying import verify

log = logging.getLogger(__name__)

FOR_A_PERSON = (ConfigConflict, NothingToRollBackTo, ImageDisproven, ChangeNotAllowed)
"""What ends a restore for good: somebody else's value or change, or nothing good to go back to.
Anything else (a cluster that is gone, an engine error) may be over when recovery tries again."""

NOT_WRITTEN = (ConfigConflict, ConfigRejected, ConfigKeyUnusable, AccessDenied)
"""What `ConfigStore.write` raises when nothing was written; after any other error it may be."""

RESTORING_FAILED = "; restoring failed: "
"""What stands in a reason between why there was a restore, and why that did not do it."""


async def roll_out(ports: Ports, record: Record, program: Program, image: PublishedImage) -> None:
    """Decide, pin, apply, verify; from the pin on, whatever fails is restored."""
    try:
        with record.interruptible():
            decision = await _decide_and_pin(ports, record, program, image)
            if not decision.unchanged:
                revision = _pinned(record, program, decision)
                await apply(ports, record, revision, decision.wanted, image.accepted)
                record.proof = await verify(ports, _expectation(ports, record, image))
    except (Unproven, LeaseLost) as error:
        await leave_open(record, error)
    except BaseException as error:
        if not _may_have_pinned(record, error):
            raise
        with undisturbed():
            await restore(ports, record, _why(record.release, error, "after"))
        if not isinstance(error, SlipwayError):
            raise
    else:
        unchanged = f"unchanged: {record.release.image} runs already, nothing was changed"
        await end_live(ports, record, f"proven: {record.proof}" if record.proof else unchanged)


async def end_live(ports: Ports, record: Record, why: str) -> None:
    """End live, and the holds with it that are overcome; then do what follows.

    What can't be done now is tried again by the next deploy.
    """
    over = await holds_overcome(ports, record.release)
    await with_tries(record.to, "record the end", SECONDS_BETWEEN_TRIES, State.LIVE, why, over)
    await settle(ports, record)


async def confirm_running(ports: Ports, record: Record, image: PublishedImage) -> bool:
    """End live without an update where the release that was asked to end has restored the image."""
    seen = await ports.cluster.observe(ports.target.workload)
    if (
        seen is None
        or the_ready_digest(seen, ports.target.workload.container) not in image.accepted
    ):
        return False
    expected = Expectation(seen.image, image.accepted, ports.target.workload.container)
    record.proof = await verify(ports, expected)
    await record.note(image=seen.image)
    tried = await ports.ledger.find(record.interrupted)
    record.rolled_away_from = tried.commit if tried else None
    why = f"release {record.interrupted}, which was asked to end, has brought it back"
    await end_live(ports, record, f"proven: {record.proof}; {why}")
    return True


def _may_have_pinned(record: Record, error: BaseException) -> bool:
    """Whether ESC may hold our value: not before the pin, nor when ESC has said no to it.

    A pin whose effect is not known counts as made.
    """
    if record.release.phase is Phase.PINNING:
        return not isinstance(error, NOT_WRITTEN)
    return record.release.phase.reached(Phase.PINNING)


async def _decide_and_pin(
    ports: Ports, record: Record, program: Program, image: PublishedImage
) -> Decision:
    """Decide, and write the pin against exactly what was decided on; at most three times."""
    earlier: ConfigSnapshot | None = None
    for _ in range(ATTEMPTS - 1):
        decision = await decide(ports, record, program, image, earlier)
        if decision.unchanged:
            return decision
        try:
            await pin(ports, record, decision.config)
        except ConfigConflict as error:
            log.info("%s: deciding again", error)
            # Nothing was written: what fails from here to the next pin changes nothing.
            await record.note(Phase.DECIDED)
            earlier = earlier or decision.config
        else:
            return decision
    decision = await decide(ports, record, program, image, earlier)
    if not decision.unchanged:
        await pin(ports, record, decision.config)
    return decision


def _pinned(record: Record, program: Program, decision: Decision) -> ProgramRevision:
    only = decision.wanted.urn if record.release.request.options.only_image else ""
    revision = record.release.esc_revision
    assert revision is not None  # noqa: S101 - the pin has recorded it
    return ProgramRevision(program.tree, program.commit, revision, only=only)


def _expectation(ports: Ports, record: Record, image: PublishedImage) -> Expectation:
    return Expectation(record.release.image, image.accepted, ports.target.workload.container)


async def leave_open(record: Record, error: SlipwayError, because: str = "") -> None:
    """End honestly without a proof; recovery goes on observing, or has taken over already."""
    if isinstance(error, LeaseLost):
        await record.look_again()
    else:
        await _needs_attention(record, f"{because}{reason(error)}", unproven=True)


async def restore(ports: Ports, record: Record, because: str) -> None:
    """Bring the baseline back and prove it: ends restored, or needs attention with the reason.

    ESC first, which needs no cluster; then the stack; the live pods are the proof. A rollback from
    what was not healthy itself stays where it is. Never raises a `SlipwayError`.
    """
    if record.release.stays:
        await _stay(ports, record, because)
        return
    baseline = record.release.baseline
    assert baseline is not None  # noqa: S101 - nothing is pinned before the baseline is recorded
    try:
        await record.to(State.RESTORING, because)
        revision = await unpin(ports, record, baseline)
        applied = await may_be_applied(ports, record.release)
        expected = _baseline_expectation(ports, baseline, applied=applied)
        if applied:
            await reapply(ports, record, baseline, revision, expected)
        record.proof = await verify(ports, expected)
    except SlipwayError as error:
        await _restore_failed(ports, record, because, error)
    else:
        await record.note(unproven=False)
        await record.to(State.RESTORED, because)


async def _stay(ports: Ports, record: Record, because: str) -> None:
    """Take nothing back: once Pulumi knows what is there, a person chooses where to go on."""
    left = ""
    try:
        await read_back(ports, record)
    except SlipwayError as error:
        left = f"{RESTORING_FAILED}{reason(error)}"
    why = f"{because}{left}; {await tell_ways_on(ports, record.release)}"
    await _needs_attention(record, why, unproven=bool(left))


def crashed(cause: Exception) -> str:
    """A defect of ours as a reason; what a foreign library put into its message nobody has read."""
    return f"crashed: {type(cause).__name__}: {redacted(str(cause))}; report it with the run's log"


def interrupted(release: Release, what: str) -> Interrupted:
    """That its own process has not seen a release through, and how to ask for it again."""
    request, which = release.request, release.request.wanted
    if request.kind is Kind.DEPLOY:
        again = f"slipway deploy {release.target} {which}"
    else:
        to = "" if which == PREVIOUS else f" --to {which}"
        again = f'slipway rollback {release.target}{to} --reason "…"'
    return Interrupted(
        f"{request.kind} of {which} at {release.target}: {what}; when you are ready, start it "
        f"again with {again}"
    )


def _why(release: Release, cause: BaseException, when: str) -> str:
    """Whatever ended a release early, as its reason; `when` is how far it had come."""
    if isinstance(cause, SlipwayError):
        return reason(cause)
    if isinstance(cause, Exception):
        return crashed(cause)
    return reason(interrupted(release, f"the run was cancelled {when} the pin"))


def _baseline_expectation(ports: Ports, baseline: Baseline, *, applied: bool) -> Expectation:
    """What proves the baseline; an error where nothing healthy was there to be proven."""
    image = (baseline.way_back if applied else None) or baseline.spec_image
    if image is None or not baseline.accepted:
        raise NothingToRollBackTo(
            f"{ports.target.name} had nothing healthy to go back to: ESC is as it was, and what "
            f"runs is for you to decide; slipway status {ports.target.name}"
        )
    return Expectation(image, baseline.accepted, ports.target.workload.container)


async def _restore_failed(ports: Ports, record: Record, because: str, error: SlipwayError) -> None:
    """A restore that could not be finished stays open for recovery, unless a person must decide."""
    if isinstance(error, LeaseLost):
        await record.look_again()
        return
    why = f"{because}{RESTORING_FAILED}{reason(error)}"
    final = isinstance(error, FOR_A_PERSON) and not await _is_back(ports, record, error)
    await _needs_attention(record, why, unproven=not final)


async def _is_back(ports: Ports, record: Record, error: SlipwayError) -> bool:
    """Whether a late update of the release's own has undone its restore, which may be done again.

    Nothing refuses the update of a process that was stopped right before it, and goes on after its
    successor has restored.
    """
    if not isinstance(error, ImageDisproven):
        return False
    try:
        seen = await ports.cluster.observe(ports.target.workload)
    except SlipwayError:
        return True  # not known: recovery looks
    return seen is not None and seen.image == record.release.image


async def _needs_attention(record: Record, why: str, *, unproven: bool) -> None:
    """Record an end without a proof; a ledger that can't take it leaves the release open."""
    try:
        await record.note(unproven=unproven)
        await record.to(State.NEEDS_ATTENTION, why)
    except LeaseLost:
        await record.look_again()
    except SlipwayError as failed:
        log.error("%s could not be recorded (%s): recovery finishes it", why, failed)  # noqa: TRY400 - one sentence says it


@contextlib.asynccontextmanager
async def ending_in_order(record: Record) -> AsyncIterator[None]:
    """Record a refusal before the lease is given back: the next holder must not find it open."""
    try:
        yield
    except BaseException as error:
        await refuse(record, error)
        raise


async def refuse(record: Record, cause: BaseException) -> None:
    """End a release that has changed nothing that deploys; any other is left as it is."""
    if isinstance(cause, (LeaseLost, ReleaseChanged)):
        await record.look_again()
    elif record.release.state is State.RELEASING and not _may_have_pinned(record, cause):
        await record.to(State.REFUSED, _why(record.release, cause, "before"))


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore SIGTERM and SIGINT: a second one would end a restore without a word.

    Prefect sends SIGKILL thirty seconds after a cancel; recovery takes over from there.
    """
    try:
        before = {each: signal.signal(each, signal.SIG_IGN) for each in _SIGNALS}
    except ValueError:  # not in the main thread, where signals do not arrive
        yield
        return
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


_SIGNALS = (signal.SIGTERM, signal.SIGINT)

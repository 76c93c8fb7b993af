"""Apply: one supervised `pulumi up` at a time, judged by what the cluster shows while it runs."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from slipway.domain.change import ImageChange, require_image_only
from slipway.domain.image import Digest
from slipway.domain.journal import intent, observed
from slipway.domain.process import ProcessIdentity
from slipway.domain.release import Phase, Release
from slipway.domain.rollout import Expectation, Judgement, Verdict, Watch
from slipway.domain.target import Allowance
from slipway.domain.workloads import Workloads
from slipway.errors import ApplyFailed, SlipwayError, StackBusy
from slipway.ports import IN_PROGRESS, Applied, Ports, ProgramRevision, StackState, Started
from slipway.tasks.policies import once, repeatable
from slipway.tasks.program import config_revision_of, is_of, update_message
from slipway.tasks.record import Record
from slipway.tasks.verifying import LOOK_EVERY, disproven, look, too_late

log = logging.getLogger(__name__)

IDLE_WITHIN = 900.0
"""Seconds to wait for somebody else's update: Pulumi's own await is 600, its lease 300."""
ASK_EVERY = 2.0
NEWEST = 3
"""ESC revisions to name where nobody can tell which of them are new."""


@repeatable("ask for the stack's state")
async def read_state(ports: Ports) -> StackState:
    """What Pulumi believes now."""
    return await ports.stack.state()


@once("wait until the stack is idle")
async def wait_until_idle(ports: Ports, record: Record | None = None) -> StackState:
    """Wait until no update holds the stack; `StackBusy` when one still does after 15 minutes.

    An update of `record`'s release whose process is proven to have ended is cancelled: its lease
    would hold the stack for five minutes.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + IDLE_WITHIN
    told = False
    while (state := await read_state(ports)).busy:
        if record is not None and await _let_go(ports, record, state):
            continue
        if not told:
            log.info("stack %s has an update under way: waiting", ports.target.stack)
            told = True
        if loop.time() >= deadline:
            raise StackBusy(
                f"stack {ports.target.stack} still has an update under way after "
                f"{IDLE_WITHIN:g} s: look at it with `pulumi stack history`, and start a new run "
                "when it has ended"
            )
        await asyncio.sleep(ASK_EVERY)
    return state


async def _let_go(ports: Ports, record: Record, state: StackState) -> bool:
    """Cancel the update that holds the stack if it is this release's and proven dead."""
    engine, update = record.release.engine, state.last_update
    if engine is None or update is None or not is_of(update, record.release):
        return False
    if update.result != IN_PROGRESS or not ports.processes.has_ended(engine):
        return False
    log.info("update %d of stack %s is dead (%s)", update.version, ports.target.stack, engine)
    await record.journal(intent("cancel", version=update.version, engine=str(engine)))
    async with record.observing("cancel"):
        let_go = await ports.stack.cancel(update.message)
    await record.journal(observed("cancel", done=let_go))
    return let_go


async def describe_foreign_config(ports: Ports, state: StackState, revision: int) -> str:
    """Who changed the ESC environment since it was last applied, for a refusal's sentence.

    An update by hand does not tell which revision it applied: then the newest ones are named.
    """
    applied = config_revision_of(state.last_update)
    after = max(revision - NEWEST, 0) if applied is None else applied
    since = await ports.config.revisions_since(ports.target.config_key, after)
    listed = ", ".join(str(each) for each in since if each.number <= revision)
    if applied is None:
        return f"the last update does not tell its ESC revision; the newest are {listed}"
    if not listed:
        return f"ESC environment unchanged since revision {applied}, so the program differs"
    return f"ESC environment since the last update: {listed}"


@repeatable("guard the change")
async def guard(
    ports: Ports, release: Release, program: ProgramRevision, wanted: ImageChange, state: StackState
) -> None:
    """Refuse when the preview changes more than the image. Changes nothing."""
    preview = await ports.stack.preview(program)
    behind = await describe_foreign_config(ports, state, program.config_revision)
    require_image_only(preview, wanted, _allowances(ports, release), behind)


@once("apply with pulumi up")
async def apply(
    ports: Ports,
    record: Record,
    program: ProgramRevision,
    wanted: ImageChange,
    accepted: frozenset[Digest],
) -> None:
    """Apply the pinned revision, guarded again if somebody updated the stack since the decision.

    `ImageDisproven` as soon as the cluster shows a fatal state of the new pods; `ApplyFailed` with
    the engine's own error otherwise.
    """
    expected = Expectation(wanted.image, accepted, ports.target.workload.container)
    applied = await _up_when_idle(ports, record, program, wanted, expected)
    allowed = _allowances(ports, record.release)
    require_image_only(applied.preview, wanted, allowed, "seen in the update itself")
    await record.happened(Phase.APPLIED, update_version=applied.version)


async def _up_when_idle(
    ports: Ports,
    record: Record,
    program: ProgramRevision,
    wanted: ImageChange,
    expected: Expectation,
) -> Applied:
    guarded_at = record.release.baseline.last_update if record.release.baseline else 0
    loop = asyncio.get_running_loop()
    deadline, told = loop.time() + IDLE_WITHIN, ""
    while True:
        state = await wait_until_idle(ports)
        version = state.last_update.version if state.last_update else 0
        if version != guarded_at:
            log.info("stack %s was updated since the decision: guarding again", ports.target.stack)
            await guard(ports, record.release, program, wanted, state)
            guarded_at = version
        await record.note(Phase.APPLYING)
        try:
            return await up(ports, record, program, record.release.kind, expected)
        except StackBusy as error:
            if loop.time() >= deadline:
                raise
            if str(error) != told:
                told = str(error)
                log.info("%s: waiting", error)
            await asyncio.sleep(ASK_EVERY)


def _allowances(ports: Ports, release: Release) -> tuple[Allowance, ...]:
    """What the target always allows, and what a person has allowed this release."""
    return (*ports.target.allow_changes, *release.request.options.allow_changes)


async def up(
    ports: Ports,
    record: Record,
    program: ProgramRevision,
    verb: str,
    expected: Expectation,
    *,
    phase: Phase | None = None,
) -> Applied:
    """One `pulumi up`, stopped as soon as the cluster shows that its image can't become good.

    Its success is never the proof; its failure is `ApplyFailed`, or `ImageDisproven` with evidence.
    """
    message = await announce(ports, record, "up", program, verb, phase=phase)
    stop = asyncio.Event()
    watching = asyncio.create_task(_watch_for_trouble(ports, expected, stop))
    try:
        async with record.observing("up"), noting_engine(record) as started:
            applied = await ports.stack.up(program, message, stop, started)
    finally:
        watching.cancel()
        [result] = await asyncio.gather(watching, return_exceptions=True)
        if isinstance(result, Exception):
            log.error("nobody watched the pods during the update", exc_info=result)
    done = observed("up", succeeded=applied.succeeded, version=applied.version, why=applied.why)
    await record.happened(None, done)
    if applied.succeeded:
        return applied
    if isinstance(result, tuple):
        judgement, seen = result
        raise await disproven(ports, seen, judgement)
    raise ApplyFailed(
        f"pulumi up of stack {ports.target.stack} failed: {applied.why}; mend what it names (the "
        "run's log has all of its output), and start a new run"
    )


async def announce(
    ports: Ports,
    record: Record,
    step: str,
    program: ProgramRevision,
    verb: str,
    *,
    phase: Phase | None = None,
) -> str:
    """Journal that the stack is about to be changed; the message that the update is to bear.

    It names the journal's head, so that the stack's history witnesses what the ledger holds.
    """
    told = intent(
        step,
        verb=verb,
        program=str(program.commit),
        esc_revision=program.config_revision,
        only=program.only,
    )
    # None until the new one has been noted: the last one's death proves nothing of it.
    await record.note(phase, told, engine=None)
    return update_message(record.release, verb, await ports.ledger.identity(), program)


@contextlib.asynccontextmanager
async def noting_engine(record: Record) -> AsyncIterator[Started]:
    """Record the process of an update while it runs: its death is then known to recovery.

    What can't be recorded costs recovery only its patience.
    """
    told: asyncio.Future[ProcessIdentity] = asyncio.get_running_loop().create_future()

    async def note() -> None:
        engine = await told
        try:
            await record.note(engine=engine)
        except SlipwayError as error:
            log.warning("%s could not be recorded: %s", engine, error)

    noting = asyncio.create_task(note())
    try:
        yield lambda engine: None if told.done() else told.set_result(engine)
    finally:
        if not told.done():
            noting.cancel()
        await asyncio.gather(noting, return_exceptions=True)


async def _watch_for_trouble(
    ports: Ports, expected: Expectation, stop: asyncio.Event
) -> tuple[Judgement, Workloads]:
    """Stop the update as soon as the new pods can't become good: seconds, not ten minutes."""
    loop = asyncio.get_running_loop()
    watch, asked_since = Watch(), None
    while True:
        await asyncio.sleep(LOOK_EVERY)
        seen, watch, judgement = await look(ports, expected, watch)
        if seen is None or seen.image != expected.image:
            continue
        asked_since = asked_since or loop.time()
        if judgement.verdict is not Verdict.PROVEN:
            judgement = too_late(ports, judgement, loop.time() - asked_since)
        if judgement.verdict is Verdict.DISPROVEN:
            log.warning("stopping the update: %s", judgement.why)
            stop.set()
            return judgement, seen

"""Restore: bring stack and cluster back to the baseline after its value stands in ESC again."""

import logging
from dataclasses import replace

from slipway.domain.change import ImageChange
from slipway.domain.journal import observed
from slipway.domain.release import Baseline, Phase, Release
from slipway.domain.rollout import Expectation
from slipway.errors import ChangeNotAllowed, SlipwayError
from slipway.ports import Ports, ProgramRevision, StackState
from slipway.tasks.applying import announce, guard, noting_engine, up, wait_until_idle
from slipway.tasks.policies import once
from slipway.tasks.program import is_of, open_program
from slipway.tasks.record import Record

log = logging.getLogger(__name__)


async def may_be_applied(ports: Ports, release: Release) -> bool:
    """Whether the release's image may have got into the stack.

    By its own update, or by somebody's who came between its pin and its apply, and took it along.
    """
    if release.phase.reached(Phase.APPLYING):
        return True
    before = release.baseline.spec_image if release.baseline else None
    seen = await ports.cluster.observe(ports.target.workload)
    return seen is not None and seen.image == release.image != before


@once("apply the baseline")
async def reapply(
    ports: Ports,
    record: Record,
    baseline: Baseline,
    config_revision: int,
    expected: Expectation,
) -> None:
    """Read the Deployment back into Pulumi's state, then apply what was there before.

    The refresh is not optional: after a killed update Pulumi can believe "unchanged" while the
    cluster runs the bad image. Applies exactly the baseline's ESC revision if its value is the way
    back and the stack's last update is ours; any other revision may hold what nobody has applied
    yet, and somebody's update what the baseline's program knows nothing of: those are guarded.
    """
    state = await wait_until_idle(ports, record)
    commit = baseline.program or record.release.program
    assert commit is not None  # noqa: S101 - the decision records both
    exact = baseline.way_back == baseline.config_value and _is_ours(state, record.release)
    revision = baseline.config_revision if exact else config_revision
    async with open_program(ports, commit) as program:
        whole = ProgramRevision(program.tree, commit, revision)
        narrowed = replace(whole, only=baseline.urn)
        if baseline.urn:
            await _refresh(ports, record, narrowed, "restore")
        chosen = narrowed if record.release.request.options.only_image else whole
        if not exact:
            wanted = ImageChange(baseline.urn, expected.container, expected.image)
            chosen = await _guarded(ports, record, chosen, wanted, state)
        await up(ports, record, chosen, "restore", expected)


def _is_ours(state: StackState, release: Release) -> bool:
    """Whether nobody but this release has updated the stack since its decision."""
    before = release.baseline.last_update if release.baseline else 0
    version = state.last_update.version if state.last_update else 0
    return version == before or is_of(state.last_update, release)


async def _guarded(
    ports: Ports, record: Record, program: ProgramRevision, wanted: ImageChange, state: StackState
) -> ProgramRevision:
    """The update that changes the image and nothing of somebody else's: if need be a narrowed one.

    Where even the Deployment has more changes than the image, whether those go too is theirs to
    say: `ChangeNotAllowed`.
    """
    try:
        await guard(ports, record.release, program, wanted, state)
    except ChangeNotAllowed as error:
        if program.only:
            raise _not_ours_to_undo(ports, wanted, error) from error
        narrowed = replace(program, only=wanted.urn)
        await _guarded(ports, record, narrowed, wanted, state)
        note = f"only {ports.target.workload} was brought back: {error}"
        log.warning("%s", note)
        await record.note(notes=(*record.release.notes, note))
        return narrowed
    return program


def _not_ours_to_undo(ports: Ports, wanted: ImageChange, error: SlipwayError) -> ChangeNotAllowed:
    return ChangeNotAllowed(
        f"ESC is back at {wanted.image}, but somebody else has changed {ports.target.workload} "
        f"too, and going back would undo it too: {error}; decide which is right, then slipway "
        f"deploy or rollback {ports.target.name}"
    )


@once("align Pulumi's state with what runs")
async def align(ports: Ports, record: Record) -> None:
    """Read the Deployment back into Pulumi's state where a killed update has left it behind."""
    release = record.release
    state = await wait_until_idle(ports, record)
    recorded = next((each for each in state.deployments if each.urn == _urn(release)), None)
    container = ports.target.workload.container
    clean = recorded is not None and not recorded.init_errors and not state.pending_operations
    if clean and recorded is not None and recorded.images.get(container) == release.image:
        return
    commit, revision = release.program, release.esc_revision
    assert commit is not None  # noqa: S101 - recorded before the pin
    assert revision is not None  # noqa: S101 - recorded with the pin
    async with open_program(ports, commit) as program:
        narrowed = ProgramRevision(program.tree, commit, revision, only=_urn(release))
        await _refresh(ports, record, narrowed, "align")


async def read_back(ports: Ports, record: Record) -> None:
    """`align` where an update may have begun: before that Pulumi's state is as it was."""
    if record.release.phase.reached(Phase.APPLYING) and _urn(record.release):
        await align(ports, record)


async def _refresh(ports: Ports, record: Record, program: ProgramRevision, verb: str) -> None:
    message = await announce(ports, record, "refresh", program, verb)
    async with record.observing("refresh"), noting_engine(record) as started:
        await ports.stack.refresh(program, message, started)
    await record.journal(observed("refresh"))


def _urn(release: Release) -> str:
    return release.baseline.urn if release.baseline else ""

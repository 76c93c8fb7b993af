"""Restore: bring stack and cluster back to the baseline after its value stands in ESC again."""

import logging

from slipway.domain.change import ImageChange
from slipway.domain.release import Baseline, Phase, Release
from slipway.domain.rollout import Expectation
from slipway.errors import ChangeNotAllowed
from slipway.ports import Ports, ProgramRevision, StackState
from slipway.tasks.applying import guard, up, wait_until_idle
from slipway.tasks.policies import once
from slipway.tasks.program import is_of, open_program, update_message
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
    cluster runs the bad image. Applies exactly the baseline's ESC revision while the stack's last
    update is ours; after somebody else's, the latest one, guarded.
    """
    state = await wait_until_idle(ports)
    version = state.last_update.version if state.last_update else 0
    ours = version == baseline.last_update or is_of(state.last_update, record.release)
    commit = baseline.program or record.release.program
    assert commit is not None  # noqa: S101 - the decision records both
    exact = ours and baseline.way_back == baseline.config_value
    revision = baseline.config_revision if exact else config_revision
    async with open_program(ports, commit) as program:
        only = baseline.urn
        narrowed = ProgramRevision(program.tree, program.commit, revision, only=only)
        message = update_message(record.release, "restore", commit, revision)
        if only:
            await ports.stack.refresh(narrowed, message)
        whole = ProgramRevision(program.tree, program.commit, revision)
        if not ours and only:
            container = ports.target.workload.container
            wanted = ImageChange(baseline.urn, container, expected.image)
            await _guard_theirs(ports, record, whole, wanted, state)
        narrow = record.release.request.options.only_image
        await up(ports, narrowed if narrow else whole, message, expected)


async def _guard_theirs(
    ports: Ports, record: Record, program: ProgramRevision, wanted: ImageChange, state: StackState
) -> None:
    """Never undo what somebody else has applied since: whether that goes too is theirs to say."""
    try:
        await guard(ports, record, program, wanted, state)
    except ChangeNotAllowed as error:
        version = state.last_update.version if state.last_update else 0
        raise ChangeNotAllowed(
            f"ESC is back at {wanted.image}, but update {version} of stack {ports.target.stack} is "
            f"somebody else's, and going back would undo it too: {error}; decide which is right, "
            f"then slipway deploy or rollback {ports.target.name}"
        ) from error


@once("align Pulumi's state with what runs")
async def align(ports: Ports, record: Record) -> None:
    """Read the Deployment back into Pulumi's state where a killed update has left it behind."""
    release = record.release
    state = await wait_until_idle(ports)
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
        await ports.stack.refresh(narrowed, update_message(release, "align", commit, revision))


def _urn(release: Release) -> str:
    return release.baseline.urn if release.baseline else ""

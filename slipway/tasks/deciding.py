"""Decide, under the lease: what is there, what would change, and what the way back is."""

import logging
from dataclasses import dataclass

from slipway.domain.change import ImageChange, find_first_urn
from slipway.domain.config import ConfigSnapshot
from slipway.domain.image import ImageReference, PublishedImage
from slipway.domain.publication import require_platforms, require_whole
from slipway.domain.release import Baseline, Phase, Release
from slipway.domain.scheduling import open_to, platforms_of
from slipway.domain.workloads import Workloads
from slipway.errors import ConfigConflict, DeploymentUnfit, ImageMissing
from slipway.ports import Ports, ProgramRevision, StackState
from slipway.tasks.applying import guard, wait_until_idle
from slipway.tasks.baseline import Sight, describe_baseline
from slipway.tasks.gates import check_holds, check_vetoes, require_in_order
from slipway.tasks.policies import once, repeatable
from slipway.tasks.preflight import check_all, require
from slipway.tasks.program import Program
from slipway.tasks.pull_secrets import require_pullable
from slipway.tasks.record import Record

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the release is going to do."""

    config: ConfigSnapshot
    wanted: ImageChange
    unchanged: bool
    """ESC, Pulumi, pod template and running pods agree on the image already."""


@once("decide")
async def decide(
    ports: Ports,
    record: Record,
    program: Program,
    image: PublishedImage,
    earlier: ConfigSnapshot | None = None,
) -> Decision:
    """Look at everything again, record the baseline, and guard the change. Changes nothing outside.

    `earlier` is what the key was when this release first decided: another value now is somebody
    else's, and refused. What is only read is read again where a system blinks.
    """
    state = await wait_until_idle(ports)
    decision, baseline = await foresee(ports, record.release, program, image, state, earlier)
    await record.note(
        Phase.DECIDED,
        baseline=baseline,
        program=program.commit,
        previous_digest=baseline.running,
        notes=_notes(record.release, decision.config, baseline),
    )
    return decision


async def foresee(
    ports: Ports,
    release: Release,
    program: Program,
    image: PublishedImage,
    state: StackState,
    earlier: ConfigSnapshot | None = None,
) -> tuple[Decision, Baseline]:
    """What a release is going to do from what is there now; raises what would refuse it.

    Records nothing: a release that is only thought of is judged by it too.
    """
    config, baseline = await take_baseline(ports, release, program, image, state)
    _require_ours_still(config, earlier, release)
    unchanged = _is_unchanged(release, image, baseline)
    wanted = ImageChange(baseline.urn, ports.target.workload.container, release.image)
    if not unchanged:
        revision = _previewed(release, program, config, baseline)
        wanted = await _guard_first_or_next(ports, release, revision, wanted, state)
    return Decision(config, wanted, unchanged), baseline


@repeatable("look at what is there")
async def take_baseline(
    ports: Ports, release: Release, program: Program, image: PublishedImage, state: StackState
) -> tuple[ConfigSnapshot, Baseline]:
    """What stands in ESC and runs now, if the release can go on from there."""
    require(await check_all(ports, release.request.options, program.tree))
    config = await ports.config.read(ports.target.config_key)
    seen = await ports.cluster.observe(ports.target.workload)
    await _require_runnable(ports, release, seen, image)
    sight = Sight(config, seen, state)
    return config, await describe_baseline(ports, release.request, sight, program.commit)


def _previewed(
    release: Release, program: Program, config: ConfigSnapshot, baseline: Baseline
) -> ProgramRevision:
    only = baseline.urn if release.request.options.only_image else ""
    return ProgramRevision(
        program.tree, program.commit, config.revision, value=release.image, only=only
    )


def _require_ours_still(
    now: ConfigSnapshot, earlier: ConfigSnapshot | None, release: Release
) -> None:
    if earlier is None or now.value in {earlier.value, release.image}:
        return
    raise ConfigConflict(
        f"ESC key {now.key} became {now.value!r} at revision {now.revision} by "
        f"{now.author or 'unknown'} while this release was being decided: nothing was changed; "
        "look at who deploys there, and start a new run"
    )


async def _require_runnable(
    ports: Ports, release: Release, seen: Workloads | None, image: PublishedImage
) -> None:
    await check_vetoes(ports, release, image.digest)
    await _require_there_still(ports, release)
    await check_holds(ports, release)
    if seen is None:
        return
    await require_in_order(ports, release, seen)
    nodes = open_to(seen.placement, await ports.cluster.nodes())
    require_platforms(image, platforms_of(nodes))
    await require_pullable(ports, seen, ImageReference.parse(release.image))


async def _require_there_still(ports: Ports, release: Release) -> None:
    """The image may have been deleted while the release waited for the lease."""
    image = await ports.registry.find(ImageReference.parse(release.image))
    if image is None:
        raise ImageMissing(
            f"{release.image} is not in the registry any more: find out who deletes there, and "
            "start a new run"
        )
    require_whole(image)


async def _guard_first_or_next(
    ports: Ports,
    release: Release,
    revision: ProgramRevision,
    wanted: ImageChange,
    state: StackState,
) -> ImageChange:
    """Guard the change; a first Deployment gets its URN from the preview that makes it."""
    if not wanted.urn:
        if not release.request.options.first:
            raise DeploymentUnfit(
                f"stack {ports.target.stack} does not know {ports.target.workload}: another stack "
                "or tool made it; correct the target's stack"
            )
        wanted = await find_first(ports, revision, wanted)
    await guard(ports, release, revision, wanted, state)
    return wanted


@repeatable("find the first Deployment")
async def find_first(ports: Ports, revision: ProgramRevision, wanted: ImageChange) -> ImageChange:
    """The change with the URN of the Deployment that the preview would make for it."""
    return find_first_urn(await ports.stack.preview(revision), wanted)


def _is_unchanged(release: Release, image: PublishedImage, baseline: Baseline) -> bool:
    strings = {baseline.config_value, baseline.recorded_image, baseline.spec_image}
    return strings == {release.image} and baseline.running in image.accepted


def _notes(release: Release, config: ConfigSnapshot, baseline: Baseline) -> tuple[str, ...]:
    if config.value is None and baseline.way_back is not None:
        note = (
            f"ESC key {config.key} was {config.form}, and the program can't do without it: a "
            f"restore would leave it at {baseline.way_back}, which ran"
        )
        return (*release.notes, note)
    if config.value in {baseline.recorded_image, baseline.spec_image, release.image, None}:
        return release.notes
    note = (
        f"ESC key {config.key} held {config.value!r}, which nothing had applied: it is replaced, "
        "and would not be restored"
    )
    log.warning("%s", note)
    return (*release.notes, note)

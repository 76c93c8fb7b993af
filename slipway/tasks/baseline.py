"""The baseline: what was there before, recorded so that it can be brought back and proven."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from slipway.domain.candidate import present, proven_live
from slipway.domain.commit import Commit
from slipway.domain.config import ConfigSnapshot
from slipway.domain.fitness import ready_reference, the_ready_digest
from slipway.domain.image import Digest, ImageReference
from slipway.domain.publication import is_whole
from slipway.domain.release import Baseline, Release, Request
from slipway.domain.workloads import Workloads
from slipway.errors import ImageMissing, PreviewFailed, SlipwayError
from slipway.ports import Ports, ProgramRevision, StackState
from slipway.tasks.policies import repeatable
from slipway.tasks.program import open_program, program_applied

RECENT = 100

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sight:
    """What ESC, Pulumi and the cluster show of a target at one moment."""

    config: ConfigSnapshot
    workloads: Workloads | None
    state: StackState


async def describe_baseline(
    ports: Ports, request: Request, sight: Sight, program: Commit
) -> Baseline:
    """What is there now, and what a restore would write; `ImageMissing` when nothing would do.

    A restore applies the program that was applied last, or where nobody has that one `program`.
    """
    way_back, accepted = await find_way_back(ports, request, sight.config, sight.workloads)
    applied = await program_applied(ports.source, sight.state) or program
    baseline = replace(_facts(ports, sight), program=applied, way_back=way_back, accepted=accepted)
    if baseline.config_value is None and await _stands_without_key(ports, baseline):
        return replace(baseline, way_back=None)
    return baseline


def _facts(ports: Ports, sight: Sight) -> Baseline:
    container, seen, last = (
        ports.target.workload.container,
        sight.workloads,
        sight.state.last_update,
    )
    recorded = sight.state.deployment(seen.namespace, seen.name) if seen else None
    return Baseline(
        config_revision=sight.config.revision,
        config_etag=sight.config.etag,
        config_value=sight.config.value,
        recorded_image=recorded.images.get(container) if recorded else None,
        spec_image=seen.image if seen else None,
        running=the_ready_digest(seen, container) if seen else None,
        ready=sum(1 for pod in seen.pods if pod.ready and not pod.terminating) if seen else 0,
        last_update=last.version if last else 0,
        urn=recorded.urn if recorded else "",
    )


async def _stands_without_key(ports: Ports, baseline: Baseline) -> bool:
    """Whether the program, without the key, asks for exactly what runs: absence is the way back.

    Where it can't do without, the key must stay, or nothing could be applied any more.
    """
    if baseline.spec_image is None or baseline.running is None or baseline.program is None:
        return False
    image = await ports.registry.find(ImageReference.parse(baseline.spec_image))
    if image is None or baseline.running not in image.accepted:
        return False
    async with open_program(ports, baseline.program) as program:
        revision = ProgramRevision(program.tree, program.commit, baseline.config_revision)
        try:
            preview = await ports.stack.preview(revision)
        except PreviewFailed as error:
            log.info("%s can't do without its key: %s", ports.target.name, error)
            return False
    wanted = (ports.target.workload.container, baseline.spec_image)
    mine = [each for each in preview.changes if each.urn == baseline.urn]
    return any((one.name, one.image) == wanted for each in mine for one in each.containers)


async def find_way_back(
    ports: Ports, request: Request, config: ConfigSnapshot, seen: Workloads | None
) -> tuple[str | None, frozenset[Digest]]:
    """The value that a restore writes, and the digests that then prove it.

    What runs is no way back where no node can pull it: the pods that a restore makes may come to
    another node than those that have it.
    """
    if seen is None:
        return config.value, frozenset()
    running = the_ready_digest(seen, ports.target.workload.container)
    if running is None:
        return await _last_proven(ports, config)
    asked = ImageReference.parse(ready_reference(seen, ports.target.workload.container, running))
    if config.value == str(asked):
        image = await ports.registry.find(asked)
        if is_whole(image) and running in image.accepted - image.missing:
            return config.value, image.accepted
    exact = ImageReference(asked.repository, asked.tag, running)
    image = await ports.registry.find(exact)
    if is_whole(image):
        return str(exact), image.accepted | {running}
    if request.automatic or not request.options.no_way_back:
        raise ImageMissing(
            f"{ports.target.name} runs {exact}, which the registry does not have whole any more, "
            "so a failed release could not be undone: push it again, or accept that with "
            "--no-way-back"
        )
    return config.value, frozenset()


async def _last_proven(
    ports: Ports, config: ConfigSnapshot
) -> tuple[str | None, frozenset[Digest]]:
    """The newest release proven live whose image still exists; else the value as it stands."""
    for release in proven_live(await ports.ledger.history(ports.target.name)):
        image = await ports.registry.find(ImageReference.parse(release.image))
        if is_whole(image):
            return release.image, image.accepted | release.accepted
    log.warning("%s has no healthy pod and no proven release to go back to", ports.target.name)
    return config.value, frozenset()


@repeatable("look at what runs")
async def adopt_what_runs(ports: Ports) -> None:
    """Record what runs when no release of ours put it there: first contact, or somebody's hand.

    Only an aid for later rollbacks, so what can't be seen is left for the next time.
    """
    history = await _back_to_live(ports)
    if any(each.is_open and each.fence > 0 for each in history):
        return
    try:
        found = await _foreign_image(ports, present(history))
    except SlipwayError as error:
        log.info("what runs at %s could not be looked at: %s", ports.target.name, error)
        return
    # Looking may have taken long: what a release has put there meanwhile is not foreign.
    if found is not None and await _back_to_live(ports) == history:
        image, accepted = found
        adopted = await ports.ledger.adopt(ports.target, image, accepted)
        log.info("adopted what runs at %s: %s, release %s", ports.target.name, image, adopted.id)


async def _back_to_live(ports: Ports) -> Sequence[Release]:
    """The newest releases, so many that what is live is among them: every release asks for it."""
    recent = await ports.ledger.history(ports.target.name, RECENT)
    if len(recent) < RECENT or present(recent) is not None:
        return recent
    return await ports.ledger.history(ports.target.name)


async def _foreign_image(
    ports: Ports, known: Release | None
) -> tuple[ImageReference, frozenset[Digest]] | None:
    container = ports.target.workload.container
    seen = await ports.cluster.observe(ports.target.workload)
    running = the_ready_digest(seen, container) if seen else None
    if seen is None or running is None:
        return None
    if known is not None and running in known.accepted | {known.digest}:
        return None
    asked = ImageReference.parse(ready_reference(seen, container, running))
    exact = ImageReference(asked.repository, asked.tag, running)
    image = await ports.registry.find(exact)
    return exact, (image.accepted if image else frozenset()) | {running}

"""Restart: replace the pods by new ones, and prove that the same image runs afterwards."""

from slipway.domain.fitness import ready_digests
from slipway.domain.image import Digest, ImageReference
from slipway.domain.rollout import Expectation
from slipway.domain.workloads import Workloads
from slipway.errors import DeploymentUnfit, ImageMissing, StackBusy
from slipway.ports import Ports
from slipway.tasks.lease import require_held, stack_lease
from slipway.tasks.preflight import require_owned
from slipway.tasks.verifying import verify


async def restart(ports: Ports) -> str:
    """Restart the target's pods under the stack's lease; the sentence that proves what runs."""
    target = ports.target
    async with stack_lease(ports, f"restart-{target.name}") as lease:
        await _require_nothing_open(ports)
        seen = await ports.cluster.observe(target.workload)
        if seen is None:
            raise DeploymentUnfit(
                f"there is no {target.workload} to restart: correct namespace and name of the "
                "target, or deploy with --first"
            )
        await require_owned(ports, seen)
        expected = Expectation(
            seen.image, await _same_image(ports, seen), target.workload.container
        )
        await require_held(ports, lease)
        await ports.cluster.restart(target.workload)
        # No release of the ledger: recovery would find nothing to go on with.
        look = f"nobody goes on observing a restart, so look with slipway status {target.name}"
        return str(await verify(ports, expected, remedy=look))


async def _require_nothing_open(ports: Ports) -> None:
    for release in await ports.ledger.unfinished(str(ports.target.stack)):
        if release.fence > 0:  # it has had the lease, and so has changed something
            raise StackBusy(
                f"release {release.id} at {release.target} stands open: slipway recover "
                f"{release.target} first"
            )


async def _same_image(ports: Ports, seen: Workloads) -> frozenset[Digest]:
    """The digests that ready pods run now; where none is ready, those of the image asked for."""
    running = ready_digests(seen, ports.target.workload.container)
    if len(running) > 1:
        listed = ", ".join(sorted(map(str, running)))
        raise DeploymentUnfit(
            f"ready pods of {seen} run {len(running)} images ({listed}), so no one image could be "
            f"proven: wait for its rollout to end, slipway status {ports.target.name}"
        )
    if running:
        return frozenset(running)
    image = await ports.registry.find(ImageReference.parse(seen.image))
    if image is None:
        raise ImageMissing(
            f"{seen} asks for {seen.image}, which the registry does not have: a restart can't "
            f"help; slipway rollback {ports.target.name} --reason …"
        )
    return image.accepted

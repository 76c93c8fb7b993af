"""Standing: what git, registry, ESC, Pulumi, cluster and ledger say of one target, side by side.

Each is looked at on its own: one that does not answer hides none of the others.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from slipway.domain.agreement import Places, Unknown, disagreements
from slipway.domain.candidate import present
from slipway.domain.config import ConfigSnapshot
from slipway.domain.hold import Hold, Veto
from slipway.domain.image import Digest, ImageReference, PublishedImage
from slipway.domain.release import Release
from slipway.domain.target import CommitInfo, Target
from slipway.domain.workloads import Workloads, running_digest
from slipway.ports import Holder, Ports, StackState
from slipway.tasks.asking import asked
from slipway.tasks.publishing import MAIN


@dataclass(frozen=True, slots=True)
class Images:
    """What the registry holds: under the ESC value, and under the service's `:main`."""

    pinned: PublishedImage | None
    main: PublishedImage | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger holds: what is live or open, who has the lease, holds and vetoes."""

    live: Release | None
    unfinished: Sequence[Release]
    held_by: Holder | None
    holds: Sequence[Hold] = ()
    vetoes: Sequence[Veto] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """One target, seen from every side."""

    target: Target
    git: CommitInfo | Unknown
    config: ConfigSnapshot | Unknown
    registry: Images | Unknown
    stack: StackState | Unknown
    cluster: Workloads | Unknown | None
    ledger: Recorded | Unknown

    @property
    def disagreements(self) -> list[str]:
        """Why it can't be said that one image is pinned, applied and running."""
        return disagreements(
            Places(
                self.config if isinstance(self.config, Unknown) else self.config.value,
                self._accepted(),
                self.recorded_image,
                _image(self.cluster),
                self._running(),
            )
        )

    @property
    def agree(self) -> bool:
        """Whether one image is pinned, applied and running, and that is known."""
        return not self.disagreements

    @property
    def recorded_image(self) -> str | Unknown | None:
        """The image in Pulumi's state, for the Deployment that runs or is named."""
        if isinstance(self.stack, Unknown):
            return self.stack
        workload = self.target.workload
        name = self.cluster.name if isinstance(self.cluster, Workloads) else workload.name
        recorded = self.stack.deployment(workload.namespace, name)
        if recorded is not None:
            return recorded.images.get(workload.container)
        unnamed = isinstance(self.cluster, Unknown) and not workload.name
        return Unknown("the Deployment's name is the cluster's to tell") if unnamed else None

    def _accepted(self) -> frozenset[Digest] | Unknown | None:
        if isinstance(self.registry, Unknown):
            return self.registry
        return self.registry.pinned.accepted if self.registry.pinned else None

    def _running(self) -> dict[str, Digest | None] | Unknown:
        if self.cluster is None or isinstance(self.cluster, Unknown):
            return self.cluster or {}
        return {
            pod.name: running_digest(each.image_id)
            for pod in self.cluster.pods
            if pod.ready and not pod.terminating
            for each in pod.containers
            if each.name == self.target.workload.container
        }


async def look_around(ports: Ports) -> Standing:
    """Ask every system at the same time."""
    target = ports.target
    config = asyncio.ensure_future(asked(ports.config.read(target.config_key)))
    git, registry, stack, cluster, ledger = await asyncio.gather(
        asked(_head(ports)),
        asked(_images(ports, config)),
        asked(ports.stack.state()),
        asked(ports.cluster.observe(target.workload)),
        asked(_recorded(ports)),
    )
    return Standing(target, git, await config, registry, stack, cluster, ledger)


async def _head(ports: Ports) -> CommitInfo:
    await ports.source.fetch()
    return await ports.source.describe(await ports.source.head(ports.target.branch))


async def _images(ports: Ports, config: "asyncio.Future[ConfigSnapshot | Unknown]") -> Images:
    main = await ports.registry.find(ImageReference(ports.target.service.repository, MAIN))
    snapshot = await asyncio.shield(config)
    if isinstance(snapshot, Unknown) or not snapshot.value:
        return Images(None, main)
    return Images(await ports.registry.find(ImageReference.parse(snapshot.value)), main)


async def _recorded(ports: Ports) -> Recorded:
    stack = str(ports.target.stack)
    return Recorded(
        present(await ports.ledger.history(ports.target.name)),
        await ports.ledger.unfinished(stack),
        await ports.ledger.holder(stack),
        await ports.ledger.holds(ports.target.name),
        await ports.ledger.vetoes(ports.target.name),
    )


def _image(cluster: Workloads | Unknown | None) -> str | Unknown | None:
    return cluster.image if isinstance(cluster, Workloads) else cluster

"""Everything that a release at one target needs, in one value."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from slipway.domain.target import Target
from slipway.ports.cluster import Cluster
from slipway.ports.config import ConfigStore
from slipway.ports.github import WriteBack
from slipway.ports.images import ImageBuilder, ImageRegistry
from slipway.ports.ledger import Ledger
from slipway.ports.processes import Processes
from slipway.ports.source import SourceRepository
from slipway.ports.stack import Stack


async def _nothing() -> None:
    """Close nothing: in memory there are no connections."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One target, and everything a release there needs.

    `neighbour` gives the ports of another target of the same stack by its name: recovery finishes
    whatever stands open at the stack. It raises `InvalidInput` for a name it does not know.
    `close` ends the connections that the ports have opened; they may be used again afterwards.
    """

    target: Target
    source: SourceRepository
    builder: ImageBuilder
    registry: ImageRegistry
    config: ConfigStore
    stack: Stack
    cluster: Cluster
    ledger: Ledger
    processes: Processes
    neighbour: Callable[[str], Awaitable["Ports"]]
    close: Callable[[], Awaitable[None]] = _nothing
    write_back: WriteBack | None = None
    """None tells nobody: no release depends on it."""

"""What the steps of a release need from the systems outside.

A port speaks domain values and raises only `slipway.errors`: `Unreachable` when trying again may
help, a `PermanentError` when it may not. Waiting uses the running event loop's clock
(`asyncio.sleep`, `loop.time()`), which a simulation replaces as a whole.

Every port is bound to one target's surroundings when it is built (`blocks/`): one ESC environment,
one stack, one cluster, one repository.
"""

from slipway.ports.cluster import Cluster, Evidence, Health, PullSecret
from slipway.ports.config import ConfigStore
from slipway.ports.github import (
    CommitStatuses,
    Deployments,
    HookDeliveries,
    WorkflowRuns,
    WriteBack,
)
from slipway.ports.images import ImageBuilder, ImageRegistry, PullCredentials
from slipway.ports.inbox import Inbox
from slipway.ports.ledger import (
    ALL,
    Holder,
    Lease,
    Leases,
    Ledger,
    LeftOpen,
    Releases,
    Restrictions,
)
from slipway.ports.processes import Processes
from slipway.ports.runs import FlowRuns, RunState
from slipway.ports.source import SourceRepository
from slipway.ports.stack import (
    IN_PROGRESS,
    Applied,
    ProgramRevision,
    RecordedDeployment,
    Stack,
    StackState,
    StackUpdate,
    Started,
    unheard,
)
from slipway.ports.surroundings import Ports

__all__ = [
    "ALL",
    "IN_PROGRESS",
    "Applied",
    "Cluster",
    "CommitStatuses",
    "ConfigStore",
    "Deployments",
    "Evidence",
    "FlowRuns",
    "Health",
    "Holder",
    "HookDeliveries",
    "ImageBuilder",
    "ImageRegistry",
    "Inbox",
    "Lease",
    "Leases",
    "Ledger",
    "LeftOpen",
    "Ports",
    "Processes",
    "ProgramRevision",
    "PullCredentials",
    "PullSecret",
    "RecordedDeployment",
    "Releases",
    "Restrictions",
    "RunState",
    "SourceRepository",
    "Stack",
    "StackState",
    "StackUpdate",
    "Started",
    "WorkflowRuns",
    "WriteBack",
    "unheard",
]

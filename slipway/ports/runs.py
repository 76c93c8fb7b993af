"""Prefect: runs of flows, for those who do not know Prefect."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Protocol


class RunState(Enum):
    """How far a run is, as Prefect knows it."""

    WAITS = auto()
    """No worker has taken it yet."""
    TAKEN = auto()
    """A worker has; whether it is at work is not known: of one that died nobody tells Prefect."""
    STOPPING = auto()
    """A person has cancelled it, and its worker, if it is there, is about to end it."""
    CRASHED = auto()
    """Its process died, or never came up, and its worker has told so."""
    ENDED = auto()
    """Otherwise, by itself or by a person; or it is not there any more."""

    @property
    def is_over(self) -> bool:
        """Whether nothing comes after it."""
        return self in {RunState.CRASHED, RunState.ENDED}


class FlowRuns(Protocol):
    """Starts Prefect flow runs, and sees how far they are."""

    async def require(self, deployment: str) -> None:
        """That runs of a deployment (`flow/name`) can be started now; starts none."""

    async def start(self, deployment: str, parameters: Mapping[str, object], key: str) -> str:
        """Start a run of a deployment; its id.

        The same key gives the same run, however often it is asked for. `Unreachable` leaves open
        whether there is one.
        """

    def link(self, run: str) -> str:
        """Where people see a run; empty for nowhere."""

    async def state(self, run: str) -> RunState:
        """How far a run is."""

    async def withdraw(self, run: str, why: str) -> bool:
        """End a run that no worker has taken; whether that is so.

        One that a worker has taken is cancelled as by a person, and ends by itself.
        """

    async def give_up(self, run: str, why: str) -> None:
        """Mark a run as crashed that will not come to work, unless it is over or not there.

        One that a person has cancelled is marked as cancelled.
        """

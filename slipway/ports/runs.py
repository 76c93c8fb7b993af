"""Prefect: runs of flows, for those who do not know Prefect."""

from collections.abc import Mapping
from typing import Protocol


class FlowRuns(Protocol):
    """Starts Prefect flow runs, and sees whether they have ended."""

    async def start(self, deployment: str, parameters: Mapping[str, object], key: str) -> str:
        """Start a run of a deployment (`flow/name`); its id.

        The same key gives the same run, however often it is asked for. `Unreachable` leaves open
        whether there is one.
        """

    async def has_ended(self, run: str) -> bool:
        """Whether the run has come to an end, or is not there any more."""

    async def waits(self, run: str) -> bool:
        """Whether no worker has taken the run yet.

        One that was taken and has not ended need not be at work: nobody tells Prefect of a worker
        that died.
        """

"""The webhook's inbox: deliveries, and what became of them."""

from collections.abc import Collection, Sequence
from typing import Protocol

from slipway.domain.delivery import (
    Delivery,
    Ending,
    IntendedStart,
    Push,
    PushAt,
    Receipt,
    ReceivedDelivery,
    ReceivedPush,
    StartedRun,
    Waiting,
)


class Inbox(Protocol):
    """The webhook's deliveries; every method commits before it returns."""

    async def receive(self, deliveries: Sequence[Delivery]) -> Sequence[Receipt]:
        """Keep deliveries, all by one commit; one receipt each, in the order given.

        One whose id or body is kept already is not kept again: its receipt names the first.
        """

    async def waiting(self, target: str = "") -> Sequence[PushAt]:
        """What has no outcome at the target, or at any, in the order received."""

    async def waiting_elsewhere(self, targets: Collection[str]) -> Sequence[Waiting]:
        """What has no outcome at any other target than these, in the order received."""

    async def settle(self, waiting: Sequence[PushAt], ending: Ending) -> None:
        """Give each its outcome, unless it has one: the first stays.

        One of which a start is in doubt waits on.
        """

    async def intend(self, start: IntendedStart) -> bool:
        """Say, before Prefect is asked, which run is wanted: from then on the start is in doubt.

        Not where the delivery has ended otherwise meanwhile, or a start of it is in doubt: then
        another process was faster.
        """

    async def in_doubt(self, target: str) -> Sequence[IntendedStart]:
        """The starts at the target of which nobody knows yet whether they were heard."""

    async def end_doubt(self, push: PushAt, ending: Ending) -> None:
        """Give a delivery its outcome, in doubt or not, unless it has one."""

    async def put_off(self, waiting: Sequence[PushAt], why: str) -> None:
        """Say what each still waits for, for those who look."""

    async def started(self, target: str, limit: int = 100) -> Sequence[StartedRun]:
        """The runs that deliveries have started at the target, newest first."""

    async def started_again(self, lost: StartedRun, run: str) -> None:
        """Put another run in the place of one that was lost, wherever that is named at its target.

        Its start is in doubt no more. Where the lost one is not named, another process was faster.
        """

    async def remark(self, started: StartedRun, words: str) -> None:
        """Add words to what is said of a run wherever it is named at its target."""

    async def pushes(self, repository: str, branch: str, limit: int = 100) -> Sequence[Push]:
        """The pushes to a branch that were received last, newest first; names in any case.

        A workflow's run is none: it says nothing of where the branch was.
        """

    async def received_at(self, target: str, limit: int = 100) -> Sequence[ReceivedPush]:
        """What was received for the target last, pushes and ends of workflows, newest first."""

    async def known(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of GitHub's ids under which a delivery is kept."""

    async def recent(self, limit: int = 100) -> Sequence[ReceivedDelivery]:
        """The deliveries received last, newest first."""

    async def forget(self, older_than: float, limit: int) -> int:
        """Forget some deliveries that were received so many seconds ago; how many that were.

        Never one that has no outcome at a target yet, nor a branch's newest push or a target's
        newest end of a workflow, by which what was missed is told from what was there before.
        """

    async def count_waiting(self) -> int:
        """How many have no outcome; also shows that the inbox can be read."""

"""Findings in memory, by the running loop's clock."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from slipway.domain.finding import Changes, Judged, RecordedFinding, compared
from slipway.ports import ALL


class MemoryFindings:
    """The `Findings` port on lists; those that are gone stay in them."""

    def __init__(self) -> None:
        super().__init__()
        self.standing: dict[str, list[RecordedFinding]] = {}
        self.past: dict[str, list[RecordedFinding]] = {}
        self.looked: dict[str, datetime] = {}

    def now(self) -> datetime:
        """The ledger's time."""
        raise NotImplementedError

    async def record_findings(self, target: str, judged: Judged) -> Changes:
        """See `slipway.ports.Findings`."""
        self.looked[target] = self.now()
        changes = compared(self.standing.get(target, ()), judged, self.now())
        kept = {each.finding.fingerprint: each for each in changes.persisting}
        before = [each.finding.fingerprint for each in self.standing.get(target, ())]
        self.standing[target] = [kept[each] for each in before if each in kept]
        self.standing[target] += changes.new
        self.past[target] = [*self.past.get(target, ()), *changes.gone]
        return changes

    async def findings(
        self, target: str, *, ever: bool = False, limit: int = ALL
    ) -> Sequence[RecordedFinding]:
        """See `slipway.ports.Findings`."""
        found = [*(self.past.get(target, ()) if ever else ()), *self.standing.get(target, ())]
        newest = sorted(found, key=lambda each: each.since, reverse=True)
        return newest[:limit]

    async def left_alone(self, seconds: float) -> Sequence[str]:
        """See `slipway.ports.Findings`."""
        since = self.now() - timedelta(seconds=seconds)
        found = [target for target, standing in self.standing.items() if standing]
        return sorted(each for each in found if self.looked[each] < since)

"""Holds and vetoes in memory, by the running loop's clock."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from slipway.domain.hold import Hold, Lift, Lifted, NewHold, NewVeto, Restriction, Veto
from slipway.domain.journal import Note

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class MemoryRestrictions:
    """The `Restrictions` port on lists; lifted ones stay in them."""

    def __init__(self) -> None:
        super().__init__()
        self.all_holds: list[Hold] = []
        self.all_vetoes: list[Veto] = []
        self.skew = 0.0
        """Seconds that the database's clock has jumped."""

    def now(self) -> datetime:
        """The ledger's time."""
        return EPOCH + timedelta(seconds=asyncio.get_running_loop().time() + self.skew)

    def restrict(self, target: str, entry: Note | Restriction, release: str = "") -> None:
        """Place a hold or a veto, or end a hold; nothing happens for anything else."""
        if isinstance(entry, NewHold):
            if all(each.release != release for each in self.all_holds):
                self._hold(target, entry, release)
        elif isinstance(entry, NewVeto):
            if all(each.release != release for each in self.all_vetoes):
                self._veto(target, entry, release)
        elif isinstance(entry, Lift):
            self._lift(entry)

    async def place_hold(self, target: str, hold: NewHold) -> Hold:
        """See `slipway.ports.Restrictions`."""
        return self._hold(target, hold)

    async def holds(self, target: str, *, ever: bool = False) -> Sequence[Hold]:
        """See `slipway.ports.Restrictions`."""
        here = [each for each in self.all_holds if each.target == target]
        return here if ever else [each for each in here if each.stands(self.now())]

    async def lift_hold(self, number: int, by: str, why: str) -> None:
        """See `slipway.ports.Restrictions`."""
        self._lift(Lift(number, by, why))

    async def place_veto(self, target: str, veto: NewVeto) -> Veto:
        """See `slipway.ports.Restrictions`."""
        return self._veto(target, veto)

    async def vetoes(self, target: str, *, ever: bool = False) -> Sequence[Veto]:
        """See `slipway.ports.Restrictions`."""
        here = [each for each in self.all_vetoes if each.target == target]
        return here if ever else [each for each in here if each.lifted is None]

    async def lift_veto(self, number: int, by: str, why: str) -> None:
        """See `slipway.ports.Restrictions`."""
        for place, each in enumerate(self.all_vetoes):
            if each.number == number and each.lifted is None:
                self.all_vetoes[place] = replace(each, lifted=Lifted(self.now(), by, why))

    def _lift(self, lift: Lift) -> None:
        for place, each in enumerate(self.all_holds):
            if each.number == lift.number and each.lifted is None:
                lifted = Lifted(self.now(), lift.by, lift.why)
                self.all_holds[place] = replace(each, lifted=lifted)

    def _hold(self, target: str, new: NewHold, release: str = "") -> Hold:
        number = len(self.all_holds) + 1
        hold = Hold(number, target, new.reason, new.by, self.now(), new.until, new.about, release)
        self.all_holds.append(hold)
        return hold

    def _veto(self, target: str, new: NewVeto, release: str = "") -> Veto:
        for each in self.all_vetoes:
            if (each.target, each.commit, each.lifted) == (target, new.commit, None):
                return each
        number = len(self.all_vetoes) + 1
        veto = Veto(number, target, new.commit, new.reason, new.by, self.now(), release)
        self.all_vetoes.append(veto)
        return veto

"""A full drill: a real rollback and the way forth again, at a target that nobody depends on.

What a drill can't know, this one does: whether the pods of the way back come up, and how long that
takes. It leaves the target as it found it, and its history two releases longer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from flows import deploy, rollback
from flows.drilling import drill
from slipway.domain.candidate import present
from slipway.domain.drill import Drill, Result
from slipway.domain.gates import shown_hold
from slipway.domain.measures import DRILL
from slipway.domain.release import PREVIOUS, Kind, Outcome, Request, State
from slipway.errors import InvalidInput
from slipway.ports import Ports

WHY = "a full drill"
Release = Callable[[Ports, Request], Awaitable[Outcome]]


async def drill_all(every: Sequence[Ports], *, full: bool = False) -> list[Drill]:
    """One after the other: a preview costs a CLI's run. Where all can't be drilled, none is."""
    if full:
        for each in every:
            _require_allowed(each)
    one = drill_fully if full else drill
    return [await one(each) for each in every]


async def drill_fully(ports: Ports) -> Drill:
    """Drill, and where a rollback would work, roll back for real and deploy again what was live."""
    target = ports.target
    _require_allowed(ports)
    live = present(await ports.ledger.history(target.name))
    tried = await drill(ports)
    may_work = tried.result in {Result.WORKS, Result.NOT_TOLD}
    if not may_work or live is None or live.commit is None:
        return tried
    if held := [each for each in await ports.ledger.holds(target.name) if each.by != DRILL]:
        why = f"{shown_hold(held[-1])}; the way forth would end that hold"
        return replace(tried, result=Result.NOT_TRIED, why=f"{why}: wait for it, or drill in part")
    clock = asyncio.get_running_loop().time
    began = clock()
    back = await _try(ports, rollback.release, Kind.ROLLBACK, PREVIOUS)
    if back.state is not State.LIVE:
        return replace(tried, result=Result.FAILS, why=f"the rollback: {back.release.reason}")
    took = clock() - began
    forth = await _try(ports, deploy.release, Kind.DEPLOY, live.commit.sha)
    await _lift_what_was_left(ports, back)
    if forth.state is not State.LIVE:
        return replace(tried, result=Result.FAILS, why=f"the way forth: {forth.release.reason}")
    why = f"{target.name} was rolled back to {back.release.image}, and forth again"
    return replace(tried, result=Result.WORKS, why=why, measured=took)


def _require_allowed(ports: Ports) -> None:
    if not ports.target.full_drill:
        raise InvalidInput(
            f"a full drill really rolls back, and {ports.target.name} does not allow it: set "
            "full_drill of the target, if nobody depends on it, or leave --full out"
        )


async def _try(ports: Ports, release: Release, kind: Kind, wanted: str) -> Outcome:
    return await release(ports, Request(kind, wanted, DRILL, why=WHY))


async def _lift_what_was_left(ports: Ports, back: Outcome) -> None:
    """A rollback leaves a hold, which nobody would end here."""
    for hold in await ports.ledger.holds(ports.target.name):
        if hold.release == back.release.id:
            await ports.ledger.lift_hold(hold.number, DRILL, "the drill is over")

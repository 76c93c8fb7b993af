"""A full drill: a real rollback and the way forth again, at a target that nobody depends on.

What a drill can't know, this one does: whether the pods of the way back come up, and how long that
takes. It leaves the target as it found it, and its history two releases longer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from flows import deploy, rollback
from flows.drilling import drill
from slipway.domain.candidate import present
from slipway.domain.commit import Commit
from slipway.domain.drill import Drill, Result
from slipway.domain.gates import shown_hold
from slipway.domain.measures import DRILL
from slipway.domain.release import PREVIOUS, Kind, Outcome, Release, Request, State, code_of
from slipway.errors import Held, InvalidInput
from slipway.ports import Ports

WHY = "a full drill"
Releases = Callable[[Ports, Request], Awaitable[Outcome]]


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
    return await _there_and_back(ports, tried, live.commit)


async def _there_and_back(ports: Ports, tried: Drill, live: Commit) -> Drill:
    target, clock = ports.target, asyncio.get_running_loop().time
    began = clock()
    back = await _try(ports, rollback.release, Kind.ROLLBACK, PREVIOUS)
    if back.state is not State.LIVE:
        return replace(tried, result=Result.FAILS, why=f"the rollback: {back.release.reason}")
    took = clock() - began
    forth = await _try(ports, deploy.release, Kind.DEPLOY, live.sha)
    await _lift_what_was_left(ports, back)
    meanwhile = await _go_on_with_what_was_held(ports, back)
    if forth.state is not State.LIVE:
        return replace(
            tried, result=Result.FAILS, why=f"the way forth: {forth.release.reason}{meanwhile}"
        )
    why = f"{target.name} was rolled back to {back.release.image}, and forth again{meanwhile}"
    return replace(tried, result=Result.WORKS, why=why, measured=took)


def _require_allowed(ports: Ports) -> None:
    if not ports.target.full_drill:
        raise InvalidInput(
            f"a full drill really rolls back, and {ports.target.name} does not allow it: set "
            "full_drill of the target, if nobody depends on it, or leave --full out"
        )


async def _try(ports: Ports, release: Releases, kind: Kind, wanted: str) -> Outcome:
    return await release(ports, Request(kind, wanted, DRILL, why=WHY))


async def _lift_what_was_left(ports: Ports, back: Outcome) -> None:
    """A rollback leaves a hold, which nobody would end here."""
    for hold in await ports.ledger.holds(ports.target.name):
        if hold.release == back.release.id:
            await ports.ledger.lift_hold(hold.number, DRILL, "the drill is over")


async def _go_on_with_what_was_held(ports: Ports, back: Outcome) -> str:
    """Ask again for the newest push that the drill's own hold has kept away; nobody else would."""
    history = await ports.ledger.history(ports.target.name)
    held = [each for each in history if _was_held(each, back.release.live_since)]
    if not held or held[0].commit is None:
        return ""
    request = replace(held[0].request, wanted=held[0].commit.sha, prefect_run="")
    again = await deploy.release(ports, request)
    short = held[0].commit.short
    return f"; {short}, which was held meanwhile, was asked for again: {again.state}"


def _was_held(release: Release, since: datetime | None) -> bool:
    if not release.request.automatic or release.ended is None or since is None:
        return False
    return code_of(release.reason) == Held.code and release.ended >= since

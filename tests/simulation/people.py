"""What people and programs ask for in a story, as `slipway` and Prefect's forms do."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from flows import deploy, recover, rollback
from slipway.domain.candidate import present
from slipway.domain.commit import Commit
from slipway.domain.hold import NewHold, NewVeto
from slipway.domain.release import Options, Request
from slipway.ports import Ledger, Ports
from tests.fakes.ledger import MemoryLedger
from tests.fakes.world import World, deploy_request, rollback_request
from tests.simulation.story import ByHand, Held, HoldsEnded, Says, Start, Vetoed

BY = "bob"


async def released(world: World, ports: Ports, start: Start) -> None:
    """Do what a process was started for."""
    if start.what == "recover":
        await recover.finish_all(ports)
    elif start.what == "rollback":
        known = world.commits.get(start.wanted)
        request = rollback_request(known.sha if known else start.wanted)
        await rollback.release(ports, _as_asked(request, start))
    else:
        request = deploy_request(world.commits[start.wanted].sha)
        await deploy.release(ports, _as_asked(request, start))


def _as_asked(request: Request, start: Start) -> Request:
    insists = start.says is Says.INSISTS
    options = Options(even_if_vetoed="it is mended" if insists else "")
    why = "" if start.says is Says.NOTHING else request.why
    return replace(request, options=options, why=why, automatic=start.what == "automatic")


async def said(ledger: MemoryLedger, commits: Mapping[str, Commit], event: ByHand) -> None:
    """What `slipway hold`, `release-hold` and `veto` do."""
    match event:
        case Held():
            until = None
            if event.seconds is not None:
                until = ledger.now() + timedelta(seconds=event.seconds)
            live = present(await ledger.history(event.target))
            about = live.commit if live else None
            await ledger.place_hold(event.target, NewHold("load test", BY, until, about))
        case HoldsEnded():
            for hold in await ledger.holds(event.target):
                await ledger.lift_hold(hold.number, BY, "it is over")
        case Vetoed(lifted=True):
            await _lift_veto(ledger, event.target, commits[event.commit])
        case Vetoed():
            veto = NewVeto(commits[event.commit], "it leaks", BY)
            await ledger.place_veto(event.target, veto)


async def _lift_veto(ledger: Ledger, target: str, commit: Commit) -> None:
    for veto in await ledger.vetoes(target):
        if veto.commit == commit:
            await ledger.lift_veto(veto.number, BY, "it did not leak")

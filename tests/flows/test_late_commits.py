"""A process that is stopped in a transaction, past its fence check, and commits it later."""

import asyncio
from dataclasses import replace

import pytest

from flows import deploy, recover
from slipway.domain.hold import Restriction
from slipway.domain.journal import Note
from slipway.domain.release import Phase, Release, State
from slipway.ledger.releases import require_savable
from tests.fakes.processes import CURRENT, Process, gated
from tests.fakes.virtual_time import run
from tests.fakes.world import World, deploy_request

WHILE_IT_IS_STOPPED = 40.0
LEASE_IS_OVER = 20.0


class RowLock:
    """Saves as PostgreSQL does: a transaction keeps its row's lock until it commits."""

    def __init__(self, world: World, process: Process, phase: Phase, state: State) -> None:
        self._ledger, self._save = world.ledger, world.ledger.save
        self._stops = (process, phase, state)
        self._lock = asyncio.Lock()
        self.stopped = asyncio.Event()

    async def save(self, release: Release, *entries: Note | Restriction) -> Release:
        """See `slipway.ports.Releases`."""
        async with self._lock:
            now = (CURRENT.get(), release.phase, release.state)
            if now == self._stops and not self.stopped.is_set():
                await self._stop(release)
                return self._ledger._insert(release, *entries)
            return await self._save(release, *entries)

    async def _stop(self, release: Release) -> None:
        row = self._ledger.releases[release.id]
        require_savable(release, row.state, row.fence, self._ledger.leases[release.stack].fence)
        process = self._stops[0]
        process.stop()
        self.stopped.set()
        asyncio.get_running_loop().call_later(WHILE_IT_IS_STOPPED, process.resume)
        await process.breathe()


async def taken_over(world: World, phase: Phase, state: State = State.RELEASING) -> Release:
    """A release whose process is stopped as it saves this phase and state, and its recovery begun.

    The recovery has read the release before that save is committed.
    """
    process = world.process("stopped")
    row = RowLock(world, process, phase, state)
    world.ledger.save = row.save  # type: ignore[method-assign] # what the database does
    request = deploy_request(world.commits["second"].sha)
    deploying = process.start(deploy.release(gated(world.ports()), request))
    await row.stopped.wait()
    await asyncio.sleep(LEASE_IS_OVER)
    finished = await world.process("recovery").start(recover.finish_all(gated(world.ports())))
    await deploying
    [release, *_] = await world.ledger.history(world.target.name)
    assert [each.release for each in finished] in ([release], [])
    return release


@pytest.mark.parametrize("phase", [Phase.DECIDED, Phase.PINNING, Phase.PINNED, Phase.APPLYING])
def test_a_recovery_judges_what_was_committed_after_it_had_read(phase: Phase) -> None:
    """What it has read says that nothing, or less, was changed."""

    async def story() -> None:
        world = World.seeded()
        before = world.value

        row = await taken_over(world, phase)

        ended = State.RESTORED if phase.reached(Phase.PINNING) else State.REFUSED
        assert (row.state, row.phase) == (ended, phase), row.reason
        assert str(world.value).partition("@")[0] == str(before).partition("@")[0]
        assert world.runs() == {world.digest_of("first")}

    run(story())


def test_a_recovery_leaves_a_release_whose_end_was_committed_after_it_had_read() -> None:
    async def story() -> None:
        world = World.seeded()

        row = await taken_over(world, Phase.APPLIED, State.LIVE)

        assert row.state is State.LIVE, row.reason
        assert world.runs() == {world.digest_of("second")}

    run(story())


def test_a_release_that_was_ended_while_it_waited_tells_that_end_and_changes_nothing() -> None:
    """Its process was taken for dead, as one is whose machine has another's name."""

    async def story() -> None:
        world = World.seeded()
        stack = str(world.target.stack)
        held = await world.ledger.acquire(stack, "somebody", 60)
        assert held is not None
        request = deploy_request(world.commits["second"].sha)
        waiting = asyncio.ensure_future(deploy.release(world.ports(), request))
        await asyncio.sleep(LEASE_IS_OVER)
        [release] = await world.ledger.unfinished(stack)
        ended = replace(release.to(State.REFUSED, "cancelled: by recovery"), fence=held.fence)
        ended = await world.ledger.save(ended)
        before = world.config.latest, list(world.updates)
        await world.ledger.give_back(held)

        outcome = await waiting

        assert outcome.release == ended
        assert (world.config.latest, world.updates) == before

    run(story())

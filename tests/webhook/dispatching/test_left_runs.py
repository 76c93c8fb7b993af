"""A run whose process died after its release had ended is not under way in Prefect for ever."""

import asyncio
from dataclasses import replace

import pytest

from slipway.domain.process import ProcessIdentity
from slipway.domain.release import Release, State
from slipway.errors import Unreachable
from slipway.ports import RunState
from slipway.webhook.left_runs import LOOK_EVERY, LeftRuns
from tests.fakes.flow_runs import FakeFlowRuns
from tests.fakes.ledger import MemoryLedger
from tests.ledger.examples import a_request, a_target
from tests.webhook.dispatching.test_left_open import ALIVE, DEAD, SomeProcesses


class Scene:
    """A ledger, Prefect, and a watch."""

    def __init__(self) -> None:
        self.ledger, self.runs = MemoryLedger(), FakeFlowRuns()

    async def release(
        self, worker: ProcessIdentity | None, state: State = State.REFUSED, run: str = "run-1"
    ) -> Release:
        """A release of a run that a worker has taken."""
        self.runs.taken.add(run)
        request = replace(a_request(), prefect_run=run)
        opened = replace(await self.ledger.open(a_target(), request), worker=worker)
        ended = opened if state is State.RELEASING else opened.to(state, "so it is")
        return await self.ledger.save(ended)

    async def watched(self, seconds: float) -> None:
        watch = LeftRuns([a_target()], self.ledger, self.runs, SomeProcesses())
        working = asyncio.create_task(watch.run())
        await asyncio.sleep(seconds)
        working.cancel()


@pytest.mark.parametrize("state", [State.LIVE, State.REFUSED])
async def test_the_run_of_a_dead_process_is_ended_and_says_how_its_release_did(
    state: State,
) -> None:
    scene = Scene()
    release = await scene.release(DEAD, state)
    await scene.watched(1.5 * LOOK_EVERY)

    assert scene.runs.crashed == {
        "run-1": f"its process ended after release {release.id} was {state}"
    }


async def test_its_worker_is_given_the_time_to_say_so_itself() -> None:
    scene = Scene()
    await scene.release(DEAD)
    await scene.watched(LOOK_EVERY / 2)

    assert not scene.runs.crashed


@pytest.mark.parametrize("worker", [ALIVE, None])
async def test_a_process_that_may_be_alive_keeps_its_run(worker: ProcessIdentity | None) -> None:
    scene = Scene()
    await scene.release(worker)
    await scene.watched(5 * LOOK_EVERY)

    assert not scene.runs.crashed


async def test_the_run_of_a_release_that_stands_open_is_recoverys() -> None:
    scene = Scene()
    await scene.release(DEAD, State.RELEASING)
    await scene.watched(5 * LOOK_EVERY)

    assert not scene.runs.crashed


async def test_a_run_that_is_over_stays_as_it_ended() -> None:
    scene = Scene()
    await scene.release(DEAD)
    scene.runs.ended.add("run-1")
    await scene.watched(5 * LOOK_EVERY)

    assert await scene.runs.state("run-1") is RunState.ENDED


async def test_where_prefect_is_away_it_is_ended_once_that_is_back() -> None:
    scene = Scene()
    await scene.release(DEAD)
    watch = LeftRuns([a_target()], scene.ledger, scene.runs, SomeProcesses())
    working = asyncio.create_task(watch.run())
    scene.runs.down = True
    await asyncio.sleep(3 * LOOK_EVERY)
    with pytest.raises(Unreachable):
        await scene.runs.state("run-1")
    scene.runs.down = False
    await asyncio.sleep(3 * LOOK_EVERY)
    working.cancel()

    assert set(scene.runs.crashed) == {"run-1"}

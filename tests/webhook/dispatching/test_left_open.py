"""What a dead process left open is recovered without anybody's asking, and once at a time."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from slipway.domain.process import ProcessIdentity
from slipway.domain.release import Release, State
from slipway.webhook.left_open import (
    COMES_WITHIN,
    GIVEN_UP_AFTER,
    LONGEST_PAUSE,
    LOOK_EVERY,
    PATIENCE,
    LeftReleases,
    _pause,
)
from tests.fakes.flow_runs import FakeFlowRuns
from tests.fakes.ledger import MemoryLedger
from tests.ledger.examples import STACK, a_request, a_target

LEASE_SECONDS = AWHILE = 15.0
ALIVE, DEAD = ProcessIdentity("here", "boot", 1, 0), ProcessIdentity("here", "boot", 2, 0)


class SomeProcesses:
    """The `Processes` port: one of two is alive."""

    def own(self) -> ProcessIdentity | None:
        return ALIVE

    def has_ended(self, process: ProcessIdentity | None) -> bool:
        return process == DEAD


class Scene:
    """A ledger, Prefect, and watches over one stack."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.runs = FakeFlowRuns()

    def watch(self) -> LeftReleases:
        targets = [a_target(), a_target("sink-prod")]
        return LeftReleases(targets, self.ledger, self.runs, SomeProcesses())

    @contextlib.asynccontextmanager
    async def watched(self, times: int = 1) -> AsyncIterator[None]:
        watches = [asyncio.create_task(self.watch().run()) for _ in range(times)]
        yield
        for each in watches:
            each.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    async def left(self) -> Release:
        """A release whose process has died with the lease."""
        lease = await self.ledger.acquire(STACK, "dead", LEASE_SECONDS)
        assert lease is not None
        release = await self.ledger.open(a_target(), a_request())
        return await self.ledger.save(replace(release, fence=lease.fence))

    async def recovered(self, end: Callable[[Release], Release]) -> None:
        """What a recovery does: take the lease, work, give it back; then its run ends."""
        lease = await self.ledger.acquire(STACK, "recovery", LEASE_SECONDS)
        assert lease is not None
        await asyncio.sleep(5)
        for each in await self.ledger.unfinished(STACK):
            await self.ledger.save(replace(end(each), fence=lease.fence))
        await self.ledger.give_back(lease)
        self.runs.end_all()


def refused(release: Release) -> Release:
    return release.to(State.REFUSED, "interrupted: its process ended")


def unproven(release: Release) -> Release:
    return replace(release.to(State.NEEDS_ATTENTION, "unproven: no cluster"), unproven=True)


async def test_what_is_left_is_recovered_once_its_holders_lease_has_run_out() -> None:
    scene = Scene()
    await scene.left()
    async with scene.watched():
        await asyncio.sleep(LEASE_SECONDS - 1)
        before = len(scene.runs.made)
        await asyncio.sleep(2 * LOOK_EVERY)

    assert before == 0
    [(deployment, parameters)] = scene.runs.made.values()
    assert (deployment, parameters) == ("recover/acme:cluster:prod", {"target": "adapter-prod"})


async def test_no_second_run_is_started_while_one_is_to_come_or_at_work() -> None:
    scene = Scene()
    await scene.left()
    async with scene.watched():
        await asyncio.sleep(20 * AWHILE)
        waiting = len(scene.runs.made)
        await scene.recovered(refused)
        await asyncio.sleep(20 * AWHILE)

    assert waiting == len(scene.runs.made) == 1


async def test_a_run_that_a_worker_took_and_never_came_to_work_is_followed_by_another() -> None:
    """The worker was killed right then: nobody tells Prefect, where it is under way for ever."""
    scene = Scene()
    await scene.left()
    async with scene.watched():
        await asyncio.sleep(2 * AWHILE)
        scene.runs.take_all()
        await asyncio.sleep(COMES_WITHIN / 2)
        before = len(scene.runs.made)
        await asyncio.sleep(COMES_WITHIN)

    assert (before, len(scene.runs.made)) == (1, 2)


async def test_a_recovery_whose_process_is_proven_dead_is_followed_by_another() -> None:
    scene = Scene()
    await scene.left()
    async with scene.watched():
        await asyncio.sleep(2 * AWHILE)
        scene.runs.take_all()
        await scene.ledger.acquire(STACK, "recovery", LEASE_SECONDS, DEAD)
        await asyncio.sleep(LEASE_SECONDS / 2)

    assert len(scene.runs.made) == 2


async def test_recoveries_that_died_with_their_worker_are_ended_in_prefect_when_all_is_done() -> (
    None
):
    scene = Scene()
    await scene.left()
    async with scene.watched():
        await asyncio.sleep(2 * AWHILE)
        scene.runs.take_all()
        await asyncio.sleep(GIVEN_UP_AFTER)
        while_open = len(scene.runs.crashed)
        made = len(scene.runs.made)
        [left] = await scene.ledger.unfinished(STACK)
        await scene.ledger.save(refused(left))
        await asyncio.sleep(GIVEN_UP_AFTER / 2)
        soon = len(scene.runs.crashed)
        scene.runs.down = True
        await asyncio.sleep(GIVEN_UP_AFTER)
        scene.runs.down = False
        await asyncio.sleep(GIVEN_UP_AFTER)

    assert made > 1
    assert (while_open, soon) == (0, 0)
    assert len(scene.runs.crashed) == made == len(scene.runs.made)


async def test_a_recovery_that_has_ended_is_left_as_it_is() -> None:
    scene = Scene()
    await scene.left()
    async with scene.watched():
        await asyncio.sleep(2 * AWHILE)
        await scene.recovered(refused)
        await asyncio.sleep(2 * GIVEN_UP_AFTER)

    assert not scene.runs.crashed


async def struck(scene: Scene, times: int) -> list[float]:
    """So many recoveries die as soon as they hold the lease; when each was started."""
    loop, begun = asyncio.get_running_loop(), list[float]()
    while len(begun) < times:
        while len(scene.runs.made) == len(begun):  # noqa: ASYNC110 - a fake has no event for it
            await asyncio.sleep(LOOK_EVERY / 10)
        begun.append(loop.time())
        scene.runs.take_all()
        if dead := await scene.ledger.holder(STACK):
            await scene.ledger.give_back(dead.lease)
        await scene.ledger.acquire(STACK, f"recovery {len(begun)}", LEASE_SECONDS, DEAD)
    return begun


async def test_recoveries_that_are_struck_again_and_again_are_followed_at_once() -> None:
    scene = Scene()
    await scene.left()
    async with scene.watched():
        await asyncio.sleep(LEASE_SECONDS)
        begun = await struck(scene, PATIENCE + 1)

    assert max(later - before for before, later in itertools.pairwise(begun)) < 3 * LOOK_EVERY


async def test_what_every_recovery_dies_of_is_not_tried_without_end() -> None:
    """Memory that is too small, say."""
    scene = Scene()
    await scene.left()
    async with scene.watched():
        await asyncio.sleep(LEASE_SECONDS)
        begun = await struck(scene, PATIENCE + 10)

    pauses = [later - before for before, later in itertools.pairwise(begun)][PATIENCE:]
    assert pauses == sorted(pauses)
    assert pauses[-1] > LONGEST_PAUSE / 2


@pytest.mark.parametrize("tick", [0.0, 7.0])
async def test_several_watches_start_one_run(tick: float) -> None:
    scene = Scene()
    await scene.left()
    async with scene.watched(2):
        await asyncio.sleep(tick)
        async with scene.watched():
            await asyncio.sleep(5 * AWHILE)

    assert len(scene.runs.made) == 1


async def test_a_watch_that_was_started_anew_starts_no_second_run() -> None:
    scene = Scene()
    await scene.left()
    for _ in range(3):
        async with scene.watched():
            await asyncio.sleep(3 * AWHILE)

    assert len(scene.runs.made) == 1


async def test_what_recovery_could_not_finish_is_tried_again_more_and_more_seldom() -> None:
    scene = Scene()
    await scene.left()
    times: list[float] = []
    async with scene.watched():
        loop = asyncio.get_running_loop()
        while len(times) < 12:
            while len(scene.runs.made) == len(times):  # noqa: ASYNC110 - a fake has no event for it
                await asyncio.sleep(1)
            times.append(loop.time())
            await scene.recovered(unproven)

    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert pauses == sorted(pauses)
    assert pauses[0] <= 3 * AWHILE
    assert LONGEST_PAUSE <= pauses[-1] <= LONGEST_PAUSE + 3 * AWHILE


async def test_a_run_that_ended_before_it_came_to_work_is_followed_by_another() -> None:
    """A worker that could not read its configuration, say."""
    scene = Scene()
    await scene.left()
    async with scene.watched():
        await asyncio.sleep(2 * AWHILE)
        scene.runs.end_all()
        await asyncio.sleep(3 * AWHILE)

    assert len(scene.runs.made) == 2


async def test_prefect_that_is_away_is_asked_again_and_gets_one_run() -> None:
    scene = Scene()
    await scene.left()
    scene.runs.down = True
    async with scene.watched():
        await asyncio.sleep(3 * AWHILE)
        scene.runs.down, scene.runs.lost_answers = False, 1
        await asyncio.sleep(3 * AWHILE)

    assert len(scene.runs.made) == 1


async def test_it_is_told_once_why_nothing_is_started(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    await scene.left()
    scene.runs.down = True
    async with scene.watched():
        await asyncio.sleep(10 * AWHILE)

    told = [each.message for each in caplog.records if each.levelname == "WARNING"]
    assert told == ["no recovery of stack acme/cluster/prod is started: Prefect did not answer"]


@pytest.mark.parametrize(("worker", "runs"), [(ALIVE, 0), (None, 0), (DEAD, 1)])
async def test_who_has_not_had_the_lease_is_left_alone_unless_proven_dead(
    worker: ProcessIdentity | None, runs: int
) -> None:
    scene = Scene()
    release = await scene.ledger.open(a_target(), a_request())
    await scene.ledger.save(replace(release, worker=worker))
    async with scene.watched():
        await asyncio.sleep(3 * AWHILE)

    assert len(scene.runs.made) == runs


@pytest.mark.parametrize(("worker", "runs"), [(ALIVE, 0), (None, 0), (DEAD, 1)])
async def test_the_lease_of_a_release_is_waited_for_unless_its_process_is_proven_dead(
    worker: ProcessIdentity | None, runs: int
) -> None:
    scene = Scene()
    release = await scene.ledger.open(a_target(), a_request())
    await scene.ledger.save(replace(release, worker=worker))
    await scene.ledger.acquire(STACK, release.id, LEASE_SECONDS, worker)
    async with scene.watched():
        await asyncio.sleep(LEASE_SECONDS - 1)

    assert len(scene.runs.made) == runs


@pytest.mark.parametrize(("worker", "runs"), [(ALIVE, 0), (None, 0), (DEAD, 1)])
async def test_the_lease_of_a_recovery_is_waited_for_unless_its_process_is_proven_dead(
    worker: ProcessIdentity | None, runs: int
) -> None:
    """Also before the recovery has noted anything of the release."""
    scene = Scene()
    await scene.left()
    await asyncio.sleep(LEASE_SECONDS)
    await scene.ledger.acquire(STACK, "recovery", LEASE_SECONDS, worker)
    async with scene.watched():
        await asyncio.sleep(LEASE_SECONDS - 1)

    assert len(scene.runs.made) == runs


async def test_a_release_of_a_dead_process_is_left_to_whoever_holds_the_lease_now() -> None:
    scene = Scene()
    release = await scene.ledger.open(a_target(), a_request())
    await scene.ledger.save(replace(release, worker=DEAD))
    await scene.ledger.acquire(STACK, "another", LEASE_SECONDS, ALIVE)
    async with scene.watched():
        await asyncio.sleep(LEASE_SECONDS - 1)

    assert not scene.runs.made


async def test_a_release_that_still_builds_is_left_alone_where_the_lease_is_a_dead_processs() -> (
    None
):
    scene = Scene()
    release = await scene.ledger.open(a_target(), a_request())
    await scene.ledger.save(replace(release, worker=ALIVE))
    await scene.ledger.acquire(STACK, "another", LEASE_SECONDS, DEAD)
    async with scene.watched():
        await asyncio.sleep(LEASE_SECONDS - 1)

    assert not scene.runs.made


async def test_a_stack_that_nobody_configured_here_is_left_to_others() -> None:
    scene = Scene()
    release = await scene.ledger.open(a_target("elsewhere", stack="other"), a_request())
    await scene.ledger.save(replace(release, worker=DEAD))
    async with scene.watched():
        await asyncio.sleep(3 * AWHILE)

    assert not scene.runs.made


async def test_nothing_is_asked_of_prefect_where_nothing_is_left() -> None:
    scene = Scene()
    ended = await scene.left()
    await scene.ledger.save(refused(ended))
    async with scene.watched():
        await asyncio.sleep(100 * AWHILE)

    assert scene.runs.attempts == 0


def test_weeks_of_recoveries_in_vain_make_no_pause_that_can_not_be_counted() -> None:
    assert _pause(100_000) == LONGEST_PAUSE

"""Cancelling, dying and racing: every release ends proven, and never two updates at once."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

import pytest

from flows import deploy, recover, rolling_out
from slipway.domain.hold import Restriction
from slipway.domain.journal import Note
from slipway.domain.release import Kind, Outcome, Phase, Release, Request, State
from slipway.errors import ApplyFailed, LedgerUnusable, PreviewFailed, SlipwayError, Unreachable
from slipway.ports import Lease
from slipway.tasks.lease import wait_for_lease
from slipway.tasks.waiting import LEASE_SECONDS
from tests.fakes.faults import raising
from tests.fakes.processes import Process, gated
from tests.fakes.pulumi import LEASE, LOOK_EVERY
from tests.fakes.world import World, deploy_request, reference_of
from tests.flows.dying import dead, dead_recovery


def deploying(world: World, name: str) -> Awaitable[Outcome]:
    return deploy.release(world.ports(), deploy_request(world.commits[name].sha))


async def stop_at(
    world: World, moment: str, effect: str, name: str = "second"
) -> asyncio.Task[Outcome]:
    """Cancel a deploy at an effect, as the UI and Ctrl-C do."""
    task = asyncio.ensure_future(deploying(world, name))
    register = world.faults.before if moment == "before" else world.faults.after

    async def cancel() -> None:
        task.cancel()
        await asyncio.sleep(0)

    register(effect, cancel)
    await asyncio.wait({task})
    return task


@pytest.mark.parametrize("effect", ["builder.build", "builder.push", "stack.preview"])
async def test_a_cancel_before_the_pin_ends_refused_with_nothing_changed(effect: str) -> None:
    world = World.seeded()
    before = (world.config.latest, world.deployment.image)

    task = await stop_at(world, "before", effect)

    assert task.cancelled()
    [newest, *_] = await world.ledger.history(world.target.name)
    assert newest.state is State.REFUSED
    wanted = world.commits["second"].sha
    assert newest.reason == (
        f"cancelled: deploy of {wanted} at {world.target.name}: the run was cancelled before the "
        "pin; when you are ready, start it again with slipway deploy "
        f"{world.target.name} {wanted}"
    )
    assert before == (world.config.latest, world.deployment.image)
    assert await world.ledger.holder(str(world.target.stack)) is None


@pytest.mark.parametrize(
    ("moment", "effect"),
    [
        ("after", "config.write"),
        ("before", "stack.server-side-apply"),
        ("after", "stack.server-side-apply"),
        ("after", "stack.up"),
        ("before", "cluster.health"),
    ],
)
async def test_a_cancel_after_the_pin_ends_restored(moment: str, effect: str) -> None:
    world = World.seeded()
    value, running = world.value, world.runs()

    task = await stop_at(world, moment, effect)

    assert task.cancelled()
    [newest, *_] = await world.ledger.history(world.target.name)
    assert newest.state is State.RESTORED, newest.reason
    assert newest.reason.startswith("cancelled: ")
    assert world.value == value
    assert world.runs() == running
    assert not world.busy
    assert await world.ledger.holder(str(world.target.stack)) is None


@pytest.mark.parametrize(
    ("name", "moment", "effect", "end"),
    [
        ("second", "before", "config.write", State.RESTORED),
        ("second", "after", "config.write", State.RESTORED),
        ("second", "before", "stack.up", State.RESTORED),
        ("second", "after", "stack.server-side-apply", State.LIVE),
        ("second", "after", "stack.up", State.LIVE),
        ("second", "before", "cluster.health", State.LIVE),
        ("crashing", "after", "config.write", State.RESTORED),
        ("crashing", "before", "stack.up", State.RESTORED),
        ("crashing", "after", "stack.server-side-apply", State.RESTORED),
        ("stuck", "after", "stack.server-side-apply", State.RESTORED),
    ],
)
async def test_a_dead_process_leaves_what_recovery_finishes(
    name: str, moment: str, effect: str, end: State
) -> None:
    world = World.seeded()
    first = world.digest_of("first")
    await dead(world, name, moment, effect)

    [outcome] = await recover.finish_all(world.ports())

    assert outcome.state is end, outcome.release.reason
    main = world.registry.tagged[world.target.service.repository, "main"]
    assert main == (world.digest_of("second") if end is State.LIVE else first)
    assert world.runs() == {world.digest_of("second") if end is State.LIVE else first}
    assert world.resources[0].recorded == world.deployment.image == world.value


@pytest.mark.parametrize("name", ["second", "crashing"])
async def test_recovery_does_not_wait_for_the_lease_of_an_update_that_is_proven_dead(
    name: str,
) -> None:
    world = World.seeded()
    await dead(world, name, "after", "stack.server-side-apply")
    [left] = [each for each in world.ledger.releases.values() if each.is_open]
    began = asyncio.get_running_loop().time()

    [outcome] = await recover.finish_all(world.ports())

    assert left.engine == world.engines[0].identity
    assert outcome.state is (State.LIVE if name == "second" else State.RESTORED)
    assert asyncio.get_running_loop().time() - began < LEASE / 3
    assert world.cancelled_alive == []
    told = await world.ledger.journal(outcome.release.id)
    assert any('"step":"cancel"' in each.content.replace(" ", "") for each in told)


async def test_recovery_waits_for_an_update_whose_process_may_be_alive() -> None:
    """Its own process is killed; pulumi, asked to end by the kernel, takes its time."""
    world = World.seeded()
    process = world.process("deploy")
    applying = asyncio.Event()
    world.faults.after("stack.server-side-apply", applying.set)
    request = deploy_request(world.commits["stuck"].sha)
    process.start(deploy.release(gated(world.ports()), request))
    await applying.wait()
    await asyncio.sleep(2 * LOOK_EVERY)
    [engine] = world.running
    engine.stubborn = True
    process.kill()

    recovering = asyncio.ensure_future(recover.finish_all(world.ports()))
    await asyncio.sleep(LEASE_SECONDS + 60)
    busy = world.busy
    engine.lose_power()
    [outcome] = await recovering

    assert busy
    assert outcome.state is State.RESTORED, outcome.release.reason
    assert world.cancelled_alive == []


async def test_an_update_whose_process_could_not_be_recorded_is_waited_for() -> None:
    world = World.seeded()
    await dead(world, "second", "after", "stack.server-side-apply")
    [left] = [each for each in world.ledger.releases.values() if each.is_open]
    world.ledger.releases[left.id] = replace(left, engine=None)
    began = asyncio.get_running_loop().time()

    [outcome] = await recover.finish_all(world.ports())

    assert outcome.state is State.LIVE, outcome.release.reason
    assert asyncio.get_running_loop().time() - began > LEASE / 2


async def test_a_killed_pulumi_costs_its_own_release_no_lease_either() -> None:
    world = World.seeded()

    def kill() -> None:
        world.running[-1].lose_power()

    world.faults.after("stack.server-side-apply", kill)
    began = asyncio.get_running_loop().time()

    outcome = await deploying(world, "second")

    assert outcome.state is State.RESTORED, outcome.release.reason
    assert asyncio.get_running_loop().time() - began < LEASE / 3


async def test_a_restore_that_was_begun_is_finished_although_the_image_runs() -> None:
    """Its cause stands in the ledger: what somebody has read there stays true."""
    world = World.seeded()
    process, stopped = world.process("deploy"), asyncio.Event()

    async def die() -> None:
        process.lose_power()
        stopped.set()
        await process.breathe()

    def kill_pulumi() -> None:
        world.running[-1].lose_power()
        world.faults.before("config.write", die)

    world.faults.after("stack.server-side-apply", kill_pulumi)
    request = deploy_request(world.commits["second"].sha)
    process.start(deploy.release(gated(world.ports()), request))
    await stopped.wait()

    [outcome] = await recover.finish_all(world.ports())

    assert outcome.state is State.RESTORED, outcome.release.reason
    assert world.runs() == {world.digest_of("first")}


@pytest.mark.parametrize(
    ("effect", "left"),
    [("config.write", State.RESTORED), ("stack.server-side-apply", State.LIVE)],
)
async def test_the_next_release_of_the_stack_finishes_what_a_dead_one_left(
    effect: str, left: State
) -> None:
    world = World.seeded()
    await dead(world, "second", "after", effect)
    await asyncio.sleep(LEASE_SECONDS)

    outcome = await deploying(world, "third")

    assert outcome.state is State.LIVE, outcome.release.reason
    states = [each.state for each in await world.ledger.history(world.target.name)]
    assert states == [State.LIVE, left, State.LIVE]


async def test_another_targets_release_finishes_what_a_dead_one_left_on_the_stack() -> None:
    world = World.seeded()
    value = world.value
    await dead(world, "second", "after", "config.write")
    request = deploy_request(world.commits["second"].sha)

    outcome = await deploy.release(world.ports("annotations-sink-prod"), request)

    assert outcome.state is State.LIVE, outcome.release.reason
    assert world.value == value


async def test_recovery_with_nothing_open_does_nothing() -> None:
    world = World.seeded()
    await deploying(world, "second")
    world.faults.effects.clear()

    assert await recover.finish_all(world.ports()) == []
    assert not world.faults.effects


@pytest.mark.parametrize("name", ["second", "crashing"])
async def test_what_could_not_be_measured_is_finished_once_the_cluster_is_back(name: str) -> None:
    world = World.seeded()
    world.faults.after(
        "stack.server-side-apply",
        lambda: world.faults.always("cluster.observe", Unreachable("no route")),
    )
    outcome = await deploying(world, name)
    assert outcome.state is State.NEEDS_ATTENTION
    world.faults.always("cluster.observe", None)

    [recovered] = await recover.finish_all(world.ports())

    assert recovered.state is (State.LIVE if name == "second" else State.RESTORED)
    assert not recovered.release.unproven


async def test_a_restore_that_the_engine_failed_is_finished_by_recovery() -> None:
    """As when the API server is gone during the update: ESC is back, the rest follows."""
    world = World.seeded()
    value, running = world.value, world.runs()
    world.faults.always("stack.refresh", ApplyFailed("the API server is unreachable"))
    outcome = await deploying(world, "crashing")
    pinned = world.value
    world.faults.always("stack.refresh", None)

    [recovered] = await recover.finish_all(world.ports())

    assert (outcome.state, pinned) == (State.NEEDS_ATTENTION, value)
    assert recovered.state is State.RESTORED, recovered.release.reason
    assert world.runs() == running


async def test_recovery_keeps_the_cause_that_was_known_however_often_it_tries() -> None:
    world = World.seeded()
    world.faults.always("stack.refresh", ApplyFailed("the API server is unreachable"))
    outcome = await deploying(world, "crashing")
    await recover.finish_all(world.ports())
    world.faults.always("stack.refresh", None)
    world.faults.always("stack.state", Unreachable("no route"))
    await recover.finish_all(world.ports())
    world.faults.always("stack.state", None)

    [recovered] = await recover.finish_all(world.ports())

    cause = outcome.release.reason.partition("; restoring failed: ")[0]
    assert cause.startswith("disproven: ")
    assert recovered.release.reason == f"{cause}; finished by recovery"


async def test_recovery_after_a_process_that_died_while_restoring_keeps_the_cause() -> None:
    world = World.seeded()
    await dead(world, "crashing", "before", "stack.refresh")

    [recovered] = await recover.finish_all(world.ports())

    assert recovered.state is State.RESTORED
    assert recovered.code == "disproven"
    assert recovered.release.reason.endswith("; finished by recovery")


async def test_an_image_that_recovery_has_proven_is_not_undone_for_what_pulumi_says() -> None:
    world = World.seeded()
    await dead(world, "second", "after", "stack.server-side-apply")
    world.faults.always("stack.refresh", ApplyFailed("no such plugin"))

    [stuck] = await recover.finish_all(world.ports())
    world.faults.always("stack.refresh", None)
    [recovered] = await recover.finish_all(world.ports())

    assert (stuck.state, stuck.release.unproven) == (State.NEEDS_ATTENTION, True)
    assert recovered.state is State.LIVE


async def test_recovery_that_still_can_not_measure_stays_honest() -> None:
    world = World.seeded()
    world.faults.after(
        "stack.up", lambda: world.faults.always("cluster.observe", Unreachable("no route"))
    )
    await deploying(world, "second")

    [recovered] = await recover.finish_all(world.ports())
    refused = await deploying(world, "third")

    assert recovered.state is State.NEEDS_ATTENTION
    assert recovered.release.unproven
    assert world.value == reference_of(world, "second")
    assert refused.state is State.REFUSED


async def test_a_release_whose_lease_was_taken_over_does_nothing_more() -> None:
    world = World.seeded()
    release = asyncio.ensure_future(deploying(world, "second"))

    async def sleep_past_the_lease() -> None:
        lease = world.ledger.leases[str(world.target.stack)]
        world.ledger.leases[str(world.target.stack)] = type(lease)(None, lease.fence, lease.expires)
        [outcome] = await recover.finish_all(world.ports())
        assert outcome.state in {State.RESTORED, State.REFUSED}

    world.faults.before("stack.up", sleep_past_the_lease)
    world.faults.before("stack.state", lambda: None)
    outcome = await release

    assert outcome.state is not State.RELEASING
    assert not world.busy


Stopped = tuple[Process, asyncio.Task[Outcome]]


async def stopped_at(
    world: World, name: str, effect: str, *, in_restore: bool = False, since: float = 30.0
) -> Stopped:
    """A process that was stopped just before an effect, by default till its lease has run out."""
    process, stopped = world.process("deploy"), asyncio.Event()

    async def stop() -> None:
        process.stop()
        stopped.set()
        await process.breathe()

    def arm() -> None:
        world.faults.before(effect, stop)

    if in_restore:
        world.faults.before("cluster.evidence", arm)
    else:
        arm()
    release = deploy.release(gated(world.ports()), deploy_request(world.commits[name].sha))
    task = process.start(release)
    await stopped.wait()
    await asyncio.sleep(since)
    return process, task


async def test_the_lease_of_a_process_that_may_go_on_is_waited_for() -> None:
    world = World.seeded()
    process, task = await stopped_at(world, "second", "config.write", since=0)
    loop = asyncio.get_running_loop()
    began = loop.time()

    lease = await wait_for_lease(world.ports(), "recovery")

    assert loop.time() - began > LEASE_SECONDS / 2
    await world.ledger.give_back(lease)
    process.resume()
    await task


async def test_a_write_to_esc_that_was_held_up_does_not_pass_recovery() -> None:
    world = World.seeded()
    value = world.value
    process, task = await stopped_at(world, "second", "config.write")
    await recover.finish_all(world.ports())

    process.resume()
    await asyncio.wait({task})

    assert world.value == value
    assert world.runs() == {world.digest_of("first")}


async def test_a_restore_that_was_taken_over_completes_at_most_what_it_had_sent() -> None:
    world = World.seeded()
    process, task = await stopped_at(world, "crashing", "config.write", in_restore=True)
    world.held_by.append("bob")
    recovery = asyncio.ensure_future(recover.finish_all(world.ports()))
    await asyncio.sleep(LEASE_SECONDS)
    updates = len(world.updates)

    process.resume()
    await asyncio.sleep(LEASE_SECONDS)
    world.held_by.clear()
    await asyncio.wait({task, recovery})

    [recovered] = recovery.result()
    assert recovered.state is State.RESTORED, recovered.release.reason
    assert {"fence=2 " in each.message for each in world.updates[updates:]} == {True}


async def test_a_release_stopped_while_it_decides_changes_nothing_once_another_has_begun() -> None:
    world = World.seeded()
    process, ours = await stopped_at(world, "second", "stack.preview")

    outcome = await deploying(world, "third")
    process.resume()
    await asyncio.wait({ours})

    assert outcome.state is State.LIVE, outcome.release.reason
    assert ours.result().state is State.REFUSED
    assert world.value == reference_of(world, "third")


async def test_a_release_whose_end_the_ledger_could_not_take_stays_open_for_recovery() -> None:
    """Never refused: the pin has been made, and recovery must take it back."""
    world = World.seeded()
    value = world.value
    save, failing = world.ledger.save, iter([True] * 3 + [False] * 99)

    async def flapping(release: Release, *entries: Note | Restriction) -> Release:
        begun = release.phase.reached(Phase.APPLYING) or release.state is not State.RELEASING
        if begun and next(failing):
            raise Unreachable("the ledger did not answer")
        return await save(release, *entries)

    world.ledger.save = flapping  # type: ignore[method-assign] # planted
    outcome = await deploying(world, "second")
    pinned = world.value

    [recovered] = await recover.finish_all(world.ports())

    assert pinned == reference_of(world, "second")
    assert outcome.release.is_open
    assert recovered.state is State.RESTORED
    assert world.value == value


async def test_a_ledger_that_blinks_after_the_update_is_no_reason_to_restore() -> None:
    world = World.seeded()
    before = len(world.updates)
    save, failing = world.ledger.save, iter([True, True, False] * 3)

    async def flapping(release: Release, *entries: Note | Restriction) -> Release:
        applied = world.runs() == {world.digest_of("second")}
        if applied and next(failing, False):
            raise Unreachable("the ledger did not answer")
        return await save(release, *entries)

    world.ledger.save = flapping  # type: ignore[method-assign] # planted
    outcome = await deploying(world, "second")

    assert next(failing, None) is None
    assert outcome.state is State.LIVE, outcome.release.reason
    assert len(world.updates) == before + 1


async def test_a_refusal_is_recorded_before_the_lease_is_given_back() -> None:
    """Who takes the lease next must not find a release open that is only about to end."""
    world = World.seeded()
    world.faults.before("stack.preview", raising(PreviewFailed("no such resource")))
    give_back, left = world.ledger.give_back, list[Release]()

    async def giving_back(lease: Lease) -> None:
        left.extend(await world.ledger.unfinished(lease.stack))
        await give_back(lease)

    world.ledger.give_back = giving_back  # type: ignore[method-assign] # planted
    outcome = await deploying(world, "second")

    assert outcome.state is State.REFUSED
    assert left == []


async def test_a_release_whose_end_the_ledger_did_not_take_once_is_not_called_refused() -> None:
    """It is live, and only the ledger does not say so: recovery does."""
    world = World.seeded()
    ledger = world.ledger
    save, refusing = ledger.save, iter([True])

    async def saving(release: Release, *entries: Note | Restriction) -> Release:
        if release.state is State.LIVE and next(refusing, False):
            raise LedgerUnusable("the disk is full: make room")
        return await save(release, *entries)

    ledger.save = saving  # type: ignore[method-assign] # a fault of the ledger
    outcome = await deploying(world, "second")
    [recovered] = await recover.finish_all(world.ports())

    assert outcome.state is State.RELEASING
    assert recovered.state is State.LIVE, recovered.release.reason


async def test_what_a_release_has_put_there_meanwhile_is_not_adopted() -> None:
    world = World.seeded()
    process, stopped = world.process("deploy"), asyncio.Event()

    async def stop() -> None:
        process.stop()
        stopped.set()
        await process.breathe()

    world.faults.before("registry.find", stop)
    release = deploy.release(gated(world.ports()), deploy_request(world.commits["third"].sha))
    ours = process.start(release)
    await stopped.wait()
    await deploying(world, "second")

    process.resume()
    await asyncio.wait({ours})

    rows = [each.kind for each in await world.ledger.history(world.target.name)]
    assert rows.count(Kind.ADOPTED) == 1


async def test_a_process_that_dies_while_it_decides_leaves_nothing_open() -> None:
    world = World.seeded()
    await dead(world, "second", "before", "stack.preview")

    [outcome] = await recover.finish_all(world.ports())

    assert outcome.state is State.REFUSED
    assert not await world.ledger.unfinished(str(world.target.stack))


async def test_a_refusal_keeps_its_own_reason_although_others_wait_for_the_stack() -> None:
    """The end is recorded before the lease is given back, so nobody finds the release open."""
    world = World.seeded()
    world.faults.before("stack.preview", raising(PreviewFailed("no such resource")))

    outcomes = await asyncio.gather(deploying(world, "second"), deploying(world, "third"))

    assert [each.code for each in outcomes] == ["preview-failed", "proven"]


async def test_a_lease_lasts_longer_than_its_renewals_are_apart() -> None:
    world = World.seeded()

    async def wait() -> None:
        await asyncio.sleep(LEASE_SECONDS * 3)
        assert await world.ledger.acquire(str(world.target.stack), "thief", 1.0) is None

    world.faults.before("stack.up", wait)

    assert (await deploying(world, "second")).state is State.LIVE


@pytest.mark.parametrize("error", [Unreachable("restarted"), LedgerUnusable("disk full")])
async def test_a_lease_that_could_not_be_renewed_once_is_renewed_the_next_time(
    error: SlipwayError,
) -> None:
    world = World.seeded()
    renew, failing = world.ledger.renew, iter([True])

    async def renewing(lease: Lease, seconds: float) -> None:
        if next(failing, False):
            raise error
        await renew(lease, seconds)

    async def wait() -> None:
        await asyncio.sleep(LEASE_SECONDS * 3)
        assert await world.ledger.acquire(str(world.target.stack), "thief", 1.0) is None

    world.ledger.renew = renewing  # type: ignore[method-assign] # a fault of the ledger
    world.faults.before("stack.up", wait)

    outcome = await deploying(world, "second")

    assert outcome.state is State.LIVE, outcome.release.reason


async def test_the_lease_of_a_release_whose_process_is_dead_is_not_waited_for() -> None:
    world = World.seeded()
    await dead(world, "second", "before", "config.write")
    loop = asyncio.get_running_loop()
    began = loop.time()

    lease = await wait_for_lease(world.ports(), "recovery")

    assert loop.time() == began
    assert lease.fence > (await world.ledger.unfinished(str(world.target.stack)))[0].fence


async def test_a_recovery_that_can_not_give_the_lease_back_says_how_the_release_ended() -> None:
    world = World.seeded()
    await dead(world, "second", "before", "config.write")

    async def away(lease: Lease) -> None:
        raise Unreachable(f"the ledger did not answer {lease.holder}")

    world.ledger.give_back = away  # type: ignore[method-assign] # planted
    # Else nobody would have to give the dead release's lease back first.
    await asyncio.sleep(LEASE_SECONDS)
    [recovered] = await recover.finish_all(world.ports())

    assert recovered.state is State.RESTORED


@pytest.mark.parametrize("effect", ["stack.ledger", "config.write"])
async def test_the_lease_of_a_recovery_whose_process_is_dead_is_not_waited_for(
    effect: str,
) -> None:
    """The first moment is right after it has taken the lease: no release's row names it yet."""
    world = World.seeded()
    await dead(world, "crashing", "after", "stack.server-side-apply")
    await dead_recovery(world, "before", effect)
    loop = asyncio.get_running_loop()
    began = loop.time()

    lease = await wait_for_lease(world.ports(), "recovery")

    assert loop.time() == began
    assert lease.fence == 3


async def test_a_release_whose_process_died_while_it_built_is_ended_refused() -> None:
    world = World.seeded()
    await dead(world, "second", "before", "builder.build")

    [recovered] = await recover.finish_all(world.ports())

    assert recovered.state is State.REFUSED
    assert recovered.release.reason.startswith("cancelled: ")
    assert "its process ended before it had changed anything; " in recovered.release.reason
    assert await world.ledger.unfinished(str(world.target.stack)) == []


async def building(world: World) -> asyncio.Future[Outcome]:
    """A deploy that is building its image, for a minute."""
    process, reached = world.process("deploy"), asyncio.Event()

    async def take_long() -> None:
        reached.set()
        await asyncio.sleep(60)

    world.faults.before("builder.build", take_long)
    request = deploy_request(world.commits["second"].sha)
    task = process.start(deploy.release(gated(world.ports()), request))
    await reached.wait()
    return task


async def test_a_release_that_still_builds_is_left_alone_by_recovery() -> None:
    world = World.seeded()
    task = await building(world)

    assert await recover.finish_all(world.ports()) == []
    assert (await task).state is State.LIVE


async def test_a_release_that_a_person_calls_dead_is_ended_and_one_that_lives_changes_nothing() -> (
    None
):
    world = World.seeded()
    task = await building(world)
    [open_one] = await world.ledger.unfinished(str(world.target.stack))
    before = world.runs()

    [ended] = await recover.finish_all(world.ports(), {open_one.id})
    await asyncio.gather(task, return_exceptions=True)

    assert (ended.release.id, ended.state) == (open_one.id, State.REFUSED)
    assert await world.ledger.find(open_one.id) == ended.release
    assert not {"config.write", "stack.up"} & set(world.faults.effects)
    assert world.runs() == before


async def test_nothing_is_released_over_one_whose_end_the_ledger_could_not_take() -> None:
    world = World.seeded()
    await dead(world, "second", "before", "stack.up")
    [left] = await world.ledger.unfinished(str(world.target.stack))
    save, answers = world.ledger.save, iter([True, False, False, False])

    async def flapping(release: Release, *entries: Note | Restriction) -> Release:
        if release.id == left.id and not next(answers, True):
            raise Unreachable("the ledger did not answer")
        return await save(release, *entries)

    world.ledger.save = flapping  # type: ignore[method-assign] # planted
    outcome = await deploying(world, "third")

    assert (outcome.state, outcome.code) == (State.REFUSED, "unproven")
    assert left.id in outcome.release.reason


@pytest.mark.parametrize(("wanted", "typed"), [("previous", ""), ("0" * 40, f" --to {'0' * 40}")])
async def test_a_rollback_that_was_not_seen_through_says_how_to_ask_for_it_again(
    wanted: str, typed: str
) -> None:
    world = World.seeded()
    request = Request(Kind.ROLLBACK, wanted, "ada", why="it is slow")
    release = await world.ledger.open(world.target, request)

    told = str(rolling_out.interrupted(release, "its process ended"))

    assert told == (
        f"rollback of {wanted} at {world.target.name}: its process ended; when you are ready, "
        f'start it again with slipway rollback {world.target.name}{typed} --reason "…"'
    )

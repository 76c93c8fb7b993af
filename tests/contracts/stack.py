"""What every Stack promises: the one in memory here, the real CLI's in tests/sandbox."""

import asyncio
from typing import Protocol

import pytest

from slipway.domain.change import ImageChange, ResourceChange, find_forbidden
from slipway.domain.process import ProcessIdentity
from slipway.errors import StackBusy
from slipway.ports import Processes, ProgramRevision, RecordedDeployment, Stack

MESSAGE = "slipway deploy release=1"
IMAGE_PATH = "spec.template.spec.containers[0].image"


class Surroundings(Protocol):
    """A stack whose program has been applied once, with `good`; `absent` can't be pulled."""

    stack: Stack
    processes: Processes
    urn: str
    container: str
    good: str
    better: str
    absent: str

    async def pin(self, image: str) -> int:
        """Write our key; the revision."""

    def at(self, revision: int, value: str | None = None, only: str = "") -> ProgramRevision:
        """The program at a revision."""

    def asked_for(self) -> str:
        """The image in the live pod template."""

    async def kill_update(self) -> None:
        """SIGKILL to every process of the update under way, as when its machine stops."""

    async def expire_lease(self) -> None:
        """What five minutes of silence do to the lease of an update that is dead."""


async def recorded(here: Surroundings) -> RecordedDeployment:
    """Our Deployment in the stack's state."""
    [found] = [each for each in (await here.stack.state()).deployments if each.urn == here.urn]
    return found


async def changed(here: Surroundings, program: ProgramRevision) -> list[ResourceChange]:
    """What a preview would change."""
    preview = await here.stack.preview(program)
    assert preview.complete
    return [each for each in preview.changes if each.op not in {"same", "read"}]


async def until_applying(here: Surroundings, image: str) -> None:
    """Until an update holds the stack and has reached the cluster."""
    async with asyncio.timeout(60):
        while not (here.asked_for() == image and (await here.stack.state()).busy):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.05)


async def interrupted(here: Surroundings) -> None:
    """An update to an image that can't become ready, stopped on its way."""
    revision, stop = await here.pin(here.absent), asyncio.Event()
    update = asyncio.create_task(here.stack.up(here.at(revision), MESSAGE, stop))
    await until_applying(here, here.absent)
    stop.set()
    applied = await update
    assert not applied.succeeded
    assert applied.why


async def killed(here: Surroundings) -> ProcessIdentity:
    """An update to an image that can't become ready, whose processes die on its way; which."""
    revision = await here.pin(here.absent)
    seen: list[ProcessIdentity] = []
    update = asyncio.create_task(
        here.stack.up(here.at(revision), MESSAGE, asyncio.Event(), seen.append)
    )
    await until_applying(here, here.absent)
    assert not here.processes.has_ended(seen[0])
    await here.kill_update()
    applied = await update
    assert not applied.succeeded
    [engine] = seen
    return engine


class StackContract:
    """Inherit it, and give the fixture `here`."""

    async def test_a_preview_with_a_value_changes_the_image_and_nothing_outside(
        self, here: Surroundings
    ) -> None:
        revision = await here.pin(here.good)
        before = (await here.stack.state()).last_update

        [change] = await changed(here, here.at(revision, here.better))

        assert (change.urn, change.op) == (here.urn, "update")
        assert [(each.path, each.kind) for each in change.paths] == [(IMAGE_PATH, "update")]
        assert [each.image for each in change.containers] == [here.better]
        assert here.asked_for() == here.good
        assert (await here.stack.state()).last_update == before

    async def test_an_update_applies_the_revision_it_is_pinned_to(self, here: Surroundings) -> None:
        revision = await here.pin(here.better)
        await here.pin(here.absent)

        applied = await here.stack.up(here.at(revision), MESSAGE, asyncio.Event())

        last, ours = (await here.stack.state()).last_update, await recorded(here)
        assert applied.succeeded, applied.why
        assert not find_forbidden(
            applied.preview, ImageChange(here.urn, here.container, here.better)
        )
        assert here.asked_for() == here.better
        assert last is not None
        assert (last.message, last.version, last.kind) == (MESSAGE, applied.version, "update")
        assert (dict(ours.images), ours.init_errors) == ({here.container: here.better}, ())

    async def test_it_is_told_of_which_deployments_the_program_sets_the_replicas(
        self, here: Surroundings
    ) -> None:
        """Ours has them set, the other is left to an autoscaler; a refresh changes none of that."""
        before = (await here.stack.state()).deployments
        revision = await here.pin(here.good)
        for each in before:
            await here.stack.refresh(here.at(revision, only=each.urn), MESSAGE)

        after = (await here.stack.state()).deployments

        assert len(before) == 2
        for told in (before, after):
            assert all(each.sets_replicas is (each.urn == here.urn) for each in told)

    async def test_an_interrupted_update_lets_go_and_remembers_that_it_failed(
        self, here: Surroundings
    ) -> None:
        await interrupted(here)

        state, ours = await here.stack.state(), await recorded(here)
        assert (state.busy, state.pending_operations) == (False, 0)
        assert ours.init_errors
        assert dict(ours.images) == {here.container: here.good}

    async def test_after_an_interrupt_the_state_believes_in_the_old_image(
        self, here: Surroundings
    ) -> None:
        """The trap: with the value set back, an update without any difference is all there is."""
        await interrupted(here)

        [change] = await changed(here, here.at(await here.pin(here.good)))

        assert (change.op, change.paths, change.had_init_errors) == ("update", (), True)
        assert here.asked_for() == here.absent

    async def test_a_refresh_reads_the_live_image_so_that_going_back_is_a_change(
        self, here: Surroundings
    ) -> None:
        await interrupted(here)
        back = await here.pin(here.good)

        await here.stack.refresh(here.at(back, only=here.urn), MESSAGE)
        seen, [change] = await recorded(here), await changed(here, here.at(back))
        applied = await here.stack.up(here.at(back), MESSAGE, asyncio.Event())

        assert (dict(seen.images), seen.init_errors) == ({here.container: here.absent}, ())
        assert [each.path for each in change.paths] == [IMAGE_PATH]
        assert applied.succeeded, applied.why
        assert here.asked_for() == here.good

    async def test_a_cancelled_update_has_ended_when_the_cancellation_arrives(
        self, here: Surroundings
    ) -> None:
        revision = await here.pin(here.absent)
        update = asyncio.create_task(here.stack.up(here.at(revision), MESSAGE, asyncio.Event()))
        await until_applying(here, here.absent)

        update.cancel()
        with pytest.raises(asyncio.CancelledError):
            await update

        assert not (await here.stack.state()).busy

    async def test_a_stack_names_one_ledger_until_another_takes_it_over(
        self, here: Surroundings
    ) -> None:
        named = [await here.stack.ledger(), await here.stack.claim("one")]
        refused = await here.stack.claim("two")
        again = await here.stack.claim("one")
        taken = await here.stack.claim("two", instead_of="one")
        late = await here.stack.claim("three", instead_of="one")

        assert (named, refused, again, taken, late) == (["", "one"], "one", "one", "two", "two")
        assert await here.stack.ledger() == "two"

    async def test_an_update_leaves_the_ledgers_name_where_it_is(self, here: Surroundings) -> None:
        await here.stack.claim("one")

        revision = await here.pin(here.better)
        applied = await here.stack.up(here.at(revision), MESSAGE, asyncio.Event())

        assert applied.succeeded, applied.why
        assert await here.stack.ledger() == "one"
        [newest, *_] = await here.stack.history(5)
        assert newest.message == MESSAGE

    async def test_a_killed_update_holds_the_stack_until_its_lease_runs_out(
        self, here: Surroundings
    ) -> None:
        await killed(here)
        held = (await here.stack.state()).busy
        with pytest.raises(StackBusy):
            await here.stack.up(here.at(await here.pin(here.good)), MESSAGE, asyncio.Event())

        await here.expire_lease()

        state = await here.stack.state()
        assert held
        assert (state.busy, state.pending_operations) == (False, 1)
        assert state.last_update is not None
        assert state.last_update.result == "failed"

    async def test_a_killed_update_is_known_to_be_dead_and_lets_go_when_it_is_cancelled(
        self, here: Surroundings
    ) -> None:
        """Without the five minutes of its lease; what it left is as after them."""
        engine = await killed(here)
        held = (await here.stack.state()).busy

        cancelled = await here.stack.cancel(MESSAGE)

        state = await here.stack.state()
        assert here.processes.has_ended(engine)
        assert (held, cancelled) == (True, True)
        assert (state.busy, state.pending_operations) == (False, 1)
        assert state.last_update is not None
        assert state.last_update.result == "failed"
        assert not await here.stack.cancel(MESSAGE)
        back = await here.pin(here.good)
        await here.stack.refresh(here.at(back, only=here.urn), MESSAGE)
        assert (await here.stack.up(here.at(back), MESSAGE, asyncio.Event())).succeeded
        assert here.asked_for() == here.good

    async def test_only_the_update_that_is_meant_is_cancelled(self, here: Surroundings) -> None:
        await killed(here)

        cancelled = await here.stack.cancel("slipway deploy release=2")

        assert not cancelled
        assert (await here.stack.state()).busy

    async def test_an_update_that_has_ended_is_not_cancelled(self, here: Surroundings) -> None:
        revision = await here.pin(here.better)
        await here.stack.up(here.at(revision), MESSAGE, asyncio.Event())

        assert not await here.stack.cancel(MESSAGE)

        last = (await here.stack.state()).last_update
        assert last is not None
        assert last.result == "succeeded"

    async def test_a_refresh_tells_its_process_too(self, here: Surroundings) -> None:
        seen: list[ProcessIdentity] = []

        program = here.at(await here.pin(here.good), only=here.urn)
        await here.stack.refresh(program, MESSAGE, seen.append)

        [engine] = seen
        assert here.processes.has_ended(engine)

    async def test_after_a_killed_update_pulumi_says_unchanged_while_the_cluster_differs(
        self, here: Surroundings
    ) -> None:
        """The worst trap: only a refresh repairs it, and only the live pods prove anything."""
        await killed(here)
        await here.expire_lease()
        back = await here.pin(here.good)

        unchanged = await here.stack.up(here.at(back), MESSAGE, asyncio.Event())
        still = here.asked_for()
        await here.stack.refresh(here.at(back, only=here.urn), MESSAGE)
        repaired = await here.stack.up(here.at(back), MESSAGE, asyncio.Event())

        assert unchanged.succeeded, unchanged.why
        assert still == here.absent
        assert repaired.succeeded, repaired.why
        assert here.asked_for() == here.good
        assert (await here.stack.state()).pending_operations == 0

    async def test_a_stack_that_is_held_is_left_alone(self, here: Surroundings) -> None:
        revision, stop = await here.pin(here.absent), asyncio.Event()
        first = asyncio.create_task(here.stack.up(here.at(revision), MESSAGE, stop))
        await until_applying(here, here.absent)

        with pytest.raises(StackBusy):
            await here.stack.up(here.at(revision), "second", asyncio.Event())
        stop.set()
        await first

        last = (await here.stack.state()).last_update
        assert last is not None
        assert last.message == MESSAGE

"""What a whole machine, or the ledger, does in the middle of a release: each has a defined end."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.box import Box
from slipway.domain.release import Release, State
from tests.sandbox import postgres
from tests.sandbox.conftest import until
from tests.sandbox.releases.at_a_shell import UPDATING, Reader, output_of, start_deploy
from tests.sandbox.releases.conftest import PARTS, Moved
from tests.sandbox.releases.ends import has_a_proven_end, is_live, is_restored, sound
from tests.sandbox.releases.powerless import boot, lose_power
from tests.sandbox.releases.real_world import ADAPTER, RealWorld

pytestmark = [pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(900)]

HAS_THE_LEASE = "lease of stack"
MOMENTS = [HAS_THE_LEASE, UPDATING]
"""What a release prints before the pin, and long after it."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", tmp_path], check=True)  # noqa: S607 - the system's own
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)  # noqa: S607 - likewise


@contextlib.contextmanager
def full(disk: Path) -> Iterator[None]:
    """Nothing more can be written there as long as the context lasts."""
    ballast = disk / "ballast"
    try:
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield
    finally:
        ballast.unlink()


async def finished(world: RealWorld) -> Release:
    """The newest release, after whoever sees to it has typed `slipway recover`."""
    code, printed, shown = await world.type("recover", ADAPTER)
    assert code in {0, 3, 4}, printed + shown
    return (await world.newest()).release


@pytest.mark.parametrize(("behaviour", "end"), [("good", State.LIVE), ("crashes", State.RESTORED)])
async def test_a_release_whose_machine_lost_its_power_is_finished_after_the_restart(
    world: RealWorld, example_box: Box, behaviour: str, end: State
) -> None:
    before = await sound(world)
    process, reader = start_deploy(world, behaviour)

    lose_power(example_box)
    output_of(process, reader)
    await asyncio.to_thread(boot, example_box, PARTS)
    left = (await world.newest()).release
    ended = await finished(world)

    assert left.is_open
    assert ended.id == left.id
    # What had come to run before the power was lost is not known; what is claimed is proven.
    assert ended.state in {end, State.RESTORED}, ended.reason
    await has_a_proven_end(world, left.id, before)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_release_whose_ledger_was_restarted_has_a_proven_end(
    world: RealWorld, ledger_at: Moved, moment: str
) -> None:
    """PostgreSQL is away until the release has noticed it, or has ended."""
    with postgres.serving() as server:
        await ledger_at(postgres.new_database(server.address))
        before = await sound(world)
        process, reader = start_deploy(world, "good", moment)

        server.stop()
        until(lambda: noticed(process, reader), "the release misses its ledger")
        server.start()
        printed = output_of(process, reader)
        ended = await finished(world)

        assert "Traceback" not in printed, printed
        await has_a_proven_end(world, ended.id, before)
        await is_live(world, await world.deploy(world.commit()))


def noticed(process: "subprocess.Popen[str]", reader: Reader) -> bool:
    return reader.has("did not answer") or process.poll() is not None


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_release_whose_ledgers_disk_is_full_has_a_proven_end_once_there_is_space(
    world: RealWorld, ledger_at: Moved, small_disk: Path, moment: str
) -> None:
    await ledger_at(f"sqlite:///{small_disk}/ledger.db")
    before = await sound(world)
    process, reader = start_deploy(world, "good", moment)

    with full(small_disk):
        printed = output_of(process, reader)
    ended = await finished(world)

    assert "Traceback" not in printed, printed
    assert "ledger.db can't be used: " in printed, printed
    await has_a_proven_end(world, ended.id, before)
    await is_live(world, await world.deploy(world.commit()))


async def test_a_watch_without_prefect_finishes_what_a_killed_process_left(
    world: RealWorld,
) -> None:
    before = await sound(world)
    watch = world.slipway("recover", "--watch", "--local")
    watching = Reader(watch)
    until(lambda: watching.has("watching for releases"), "it watches", within=120)

    process, reader = start_deploy(world, "crashes")
    os.kill(process.pid, signal.SIGKILL)
    output_of(process, reader)
    left = (await world.newest()).release
    until(lambda: watching.has("is restored"), "it recovers", within=300)
    watch.send_signal(signal.SIGTERM)
    output_of(watch, watching)

    assert left.state is State.RELEASING
    assert watch.returncode == 0
    await is_restored(world, await world.newest(), before)

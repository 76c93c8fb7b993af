"""A command gets the environment it is given, ends in time, and leaves nobody behind."""

import asyncio
import os
from pathlib import Path

import pytest

from slipway.clients import command
from slipway.errors import ProgramMissing, Unreachable

PATH = {"PATH": os.environ["PATH"]}


def is_alive(pid: int) -> bool:
    """Whether a process still does something; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def until_ended(pid: int) -> None:
    async with asyncio.timeout(10):
        while is_alive(pid):  # noqa: ASYNC110 - somebody else's process tells us nothing
            await asyncio.sleep(0.01)


async def test_a_command_inherits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "secret")

    done = await command.run(["env"], env={**PATH, "GIVEN": "1"}, within=10)

    assert done.code == 0
    assert sorted(line.split(b"=")[0] for line in done.stdout.splitlines()) == [b"GIVEN", b"PATH"]


async def test_exit_code_output_and_complaint_are_told_apart() -> None:
    script = "cat; echo wrong >&2; exit 3"

    done = await command.run(["sh", "-c", script], env=PATH, within=10, stdin=b"given")

    assert (done.code, done.stdout, done.complaint) == (3, b"given", "wrong")


async def test_a_word_is_never_read_by_a_shell(tmp_path: Path) -> None:
    word = f"$(touch {tmp_path}/planted)"

    done = await command.run(["printf", "%s", word], env=PATH, within=10)

    assert done.stdout.decode() == word
    assert names_in(tmp_path) == []


async def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ProgramMissing, match="no-such-program can't be started"):
        await command.run(["no-such-program"], env=PATH, within=10)


async def test_past_its_deadline_a_command_ends_with_its_children(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    script = f"sleep 600 & echo $! > {told}; wait"

    with pytest.raises(Unreachable, match=r"sh -c was not done within 1 s"):
        await command.run(["sh", "-c", script], env=PATH, within=1)

    await until_ended(int(told.read_text()))


async def test_a_cancelled_command_ends_although_it_ignores_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SECONDS_TO_END", 0.2)
    told = tmp_path / "pid"
    script = f"trap '' TERM; echo $$ > {told}.new; mv {told}.new {told}; while :; do sleep 1; done"
    task = asyncio.create_task(command.run(["sh", "-c", script], env=PATH, within=60))
    async with asyncio.timeout(10):
        while not told.exists():  # noqa: ASYNC110 - another process writes the file
            await asyncio.sleep(0.01)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await until_ended(int(told.read_text()))

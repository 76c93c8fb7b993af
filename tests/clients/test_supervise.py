"""A supervised command is asked once to end, is never killed, and is always waited for."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.clients.supervise import ENDS_WITHIN, Supervised, supervise
from slipway.errors import ProgramMissing, StillRunning
from tests.clients.test_command import PATH, until_ended

ROOT = Path(__file__).parents[2]
ENDS_IN_ORDER = """
import signal, sys
asked = []
signal.signal(signal.SIGINT, lambda *_: asked.append(1))
print("ready", flush=True)
while not asked:
    signal.pause()
print("asked", flush=True)
# A second SIGINT would still be pending here, or come now.
signal.sigtimedwait([], 0.3)
print(f"asked {len(asked)} time(s)", flush=True)
sys.exit(7)
"""


class Listening:
    """Hears lines, and lets a test wait for one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.processes: list[int] = []
        self.ready = asyncio.Event()

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        if line.startswith("ready"):
            self.ready.set()


async def watch(
    script: str, heard: Listening, cwd: Path, stop: asyncio.Event | None = None, **more: float
) -> Supervised:
    return await supervise(
        [sys.executable, "-c", script],
        env=PATH,
        cwd=cwd,
        within=more.get("within", 30),
        stop=stop or asyncio.Event(),
        listener=heard,
        started=heard.processes.append,
        ends_within=more.get("ends_within", ENDS_WITHIN),
    )


async def test_its_process_is_known_from_its_start(tmp_path: Path) -> None:
    """The very process that runs the command, so that its death is the command's."""
    heard = Listening()

    await watch("import os; print(os.getpid())", heard, tmp_path)

    assert heard.lines == [str(each) for each in heard.processes]


async def test_lines_are_heard_while_it_runs_and_kept_to_its_end(tmp_path: Path) -> None:
    heard = Listening()
    script = f"""
import pathlib, sys, time
print("ready", flush=True)
while not pathlib.Path({str(tmp_path / "go")!r}).exists():
    time.sleep(0.01)
print("bad", file=sys.stderr)
print("end", end="")
sys.exit(3)
"""
    task = asyncio.create_task(watch(script, heard, tmp_path))
    async with asyncio.timeout(10):
        await heard.ready.wait()
    assert not task.done()
    (tmp_path / "go").touch()

    done = await task

    assert done == Supervised(3, "ready\nend", "bad\n")
    assert sorted(heard.lines) == ["bad", "end", "ready"]


async def test_stop_sends_one_sigint_and_awaits_the_end(tmp_path: Path) -> None:
    heard, stop = Listening(), asyncio.Event()
    task = asyncio.create_task(watch(ENDS_IN_ORDER, heard, tmp_path, stop))
    async with asyncio.timeout(10):
        await heard.ready.wait()

    stop.set()
    done = await task

    assert (done.code, done.interrupted) == (7, "it was asked to stop")
    assert heard.lines[-1] == "asked 1 time(s)"


async def test_the_deadline_sends_one_sigint_and_awaits_the_end(tmp_path: Path) -> None:
    heard = Listening()

    done = await watch(ENDS_IN_ORDER, heard, tmp_path, within=5)

    assert (done.code, done.interrupted) == (7, "it was not done within 5 s")


async def test_cancelled_twice_it_is_asked_once_and_waited_for(tmp_path: Path) -> None:
    heard = Listening()
    task = asyncio.create_task(watch(ENDS_IN_ORDER, heard, tmp_path))
    async with asyncio.timeout(10):
        await heard.ready.wait()

    task.cancel()
    async with asyncio.timeout(10):
        while "asked" not in heard.lines:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert heard.lines[-1] == "asked 1 time(s)"


async def test_it_takes_sigint_although_we_ignore_it(tmp_path: Path) -> None:
    """A restore ignores SIGINT; the update that it runs must not."""
    heard, stop = Listening(), asyncio.Event()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        script = "import signal; print('ready', flush=True); signal.pause()"
        task = asyncio.create_task(watch(script, heard, tmp_path, stop))
        async with asyncio.timeout(10):
            await heard.ready.wait()
    finally:
        signal.signal(signal.SIGINT, before)

    stop.set()
    done = await task

    assert "KeyboardInterrupt" in done.stderr


async def test_one_that_does_not_end_is_told_of_and_left_alone(tmp_path: Path) -> None:
    heard, stop = Listening(), asyncio.Event()
    script = (
        "import os, signal; signal.signal(signal.SIGINT, signal.SIG_IGN);"
        "print('ready', os.getpid(), flush=True); signal.pause()"
    )
    task = asyncio.create_task(watch(script, heard, tmp_path, stop, ends_within=0.3))
    async with asyncio.timeout(10):
        await heard.ready.wait()
    pid = int(heard.lines[0].split()[1])

    stop.set()
    with pytest.raises(StillRunning, match=r"has not ended within 0\.3 s"):
        await task

    os.kill(pid, 0)  # it lives
    os.kill(pid, signal.SIGKILL)
    await until_ended(pid)


async def test_our_own_death_interrupts_it_and_its_output_does_not_break(tmp_path: Path) -> None:
    child = f"""
import pathlib, signal, sys
signal.signal(signal.SIGINT, lambda *_: None)
pathlib.Path({str(tmp_path / "started")!r}).touch()
signal.pause()
print("a dead parent reads no pipe", flush=True)
pathlib.Path({str(tmp_path / "ended")!r}).touch()
"""
    parent = f"""
import asyncio, os, pathlib, sys
from slipway.clients.supervise import supervise
asyncio.run(supervise([sys.executable, "-c", {child!r}], env=dict(os.environ), within=60,
    cwd=pathlib.Path("/"), stop=asyncio.Event(), listener=print))
"""
    process = await asyncio.to_thread(subprocess.Popen, [sys.executable, "-c", parent], cwd=ROOT)
    async with asyncio.timeout(20):
        while not (tmp_path / "started").exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)

    process.kill()
    process.wait()

    async with asyncio.timeout(10):
        while not (tmp_path / "ended").exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)


async def test_a_listener_that_fails_disturbs_nothing(tmp_path: Path) -> None:
    def fails(line: str) -> None:
        raise ValueError(line)

    done = await supervise(
        [sys.executable, "-c", "print('a'); print('b')"],
        env=PATH,
        cwd=tmp_path,
        within=10,
        stop=asyncio.Event(),
        listener=fails,
    )

    assert done.stdout == "a\nb\n"


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProgramMissing, match="no-such-program can't be started"):
        await supervise(
            ["no-such-program"],
            env=PATH,
            cwd=tmp_path,
            within=10,
            stop=asyncio.Event(),
            listener=print,
        )

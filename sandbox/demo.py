"""`python -m sandbox.demo`: the story of the README, told by a running sandbox.

What would only wait for the chapter before it is typed while that one still goes on, as people do:
releases of a stack wait for each other by themselves.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sandbox import example_history, prefect_server, repository
from sandbox.__main__ import STATE
from sandbox.box import Box
from sandbox.example_history import CRASH, WELL, Step, adapter
from sandbox.parts import PARTS
from sandbox.typed import Ahead, Slipway
from slipway.domain.release import Phase, Release, State
from slipway.ledger.settings import LedgerSettings
from slipway.ledger.sql import SqlLedger

ADAPTER, SINK = "ls-triton-adapter-prod", "annotations-sink-prod"
EXIT_CODES = {"live": 0, "restored": 3}
LOOK_EVERY = 0.2
RECENT = 10
WITHIN = 300.0
"""Seconds in which a push must have its release, and the release its end."""


def main() -> int:
    """Tell the story; 1 when a release ended otherwise than it must."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description=__doc__)
    parser.add_argument("--state", type=Path, default=STATE)
    box = Box(parser.parse_args().state.resolve())
    return 0 if Story(box).tell() else 1


class Story:
    """The chapters, in the order in which they are told."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._environment = {**os.environ, **_environment(box)}
        self._name = _new_name(box)
        self._crashes = False

    def tell(self) -> bool:
        """All of it; whether every release ended as it must."""
        try:
            told = self._chapters()
        finally:
            if self._crashes:  # or the next telling's commits would crash too
                self._commit(adapter(f"{self._name}-well", "Do without the list of models", WELL))
        _shown("Both services, side by side.", self._type("status", ADAPTER, SINK))
        _shown("What happened.", self._type("history", ADAPTER, "--limit", "4"))
        print(_where_to_look(self._box))
        return all(told)

    def _chapters(self) -> list[bool]:
        """Whether each ended as it must."""
        good = self._commit(adapter(f"{self._name}-good", "Serve once more"))
        # What the demo has rolled back the last time is held.
        deploy = self._type("deploy", ADAPTER, good, "--reason", "the demo begins")
        # A restore is never interrupted: what is asked for meanwhile waits for its end.
        back = ("rollback", ADAPTER, "--to", good, "--reason", "the demo says so")
        crash, rollback = Ahead(self._deploy_crash), Ahead(lambda: self._type(*back))

        told = [_told("Deploy a good commit.", "live", deploy)]
        told += [self._push("Push the next one: it deploys by itself.", crash.typed)]
        title = "Deploy one that crashes at its start."
        told += [_told(title, "restored", crash.typed(), "is restoring", rollback.typed)]
        told += [_told("Roll back to the first of the two.", "live", rollback.typed())]
        return told

    def _type(self, *words: str) -> Slipway:
        return Slipway(words, self._environment)

    def _commit(self, step: Step) -> str:
        """A new commit on the main line, of which GitHub tells nobody."""
        return example_history.push(repository.path(self._box), step)

    def _deploy_crash(self) -> Slipway:
        self._crashes = True
        name, subject = f"{self._name}-crashes", "Read the list of models at the start"
        return self._type("deploy", ADAPTER, self._commit(adapter(name, subject, CRASH)))

    def _push(self, title: str, when_applying: Callable[[], object]) -> bool:
        print(f"\n── {title}", flush=True)
        began = time.monotonic()
        step = adapter(f"{self._name}-better", "Serve a little better")
        commit = _pushed(repository.path(self._box), step)
        release = asyncio.run(self._follow(commit, when_applying))
        print(f"{release.state}: {release.reason}")
        self._type("deliveries", "--limit", "1").show()
        print(f"   {time.monotonic() - began:.0f} s")
        return release.state is State.LIVE

    async def _follow(self, commit: str, when_applying: Callable[[], object]) -> Release:
        """Tell how far the release of a pushed commit is, until it has ended."""
        ledger = SqlLedger(LedgerSettings.from_environment(self._environment))
        told: Phase | None = None
        async with asyncio.timeout(WITHIN):
            while True:
                # What is typed meanwhile is newer.
                newest = await ledger.history(ADAPTER, RECENT)
                release = next((each for each in newest if str(each.commit) == commit), None)
                if release is not None and release.phase is not told:
                    told = release.phase
                    print(f"release {release.id} of {commit[:7]} is {told}", flush=True)
                if release is not None and release.phase.reached(Phase.APPLYING):
                    when_applying()
                if release is not None and not release.is_open:
                    return release
                await asyncio.sleep(LOOK_EVERY)


def _shown(title: str, typed: Slipway) -> None:
    """Show a command that only looks."""
    print(f"\n── {title}", flush=True)
    typed.show()
    print(f"   {typed.age:.0f} s", flush=True)


def _told(
    title: str, end: str, typed: Slipway, cue: str = "", then: Callable[[], object] = lambda: None
) -> bool:
    """Show a command and what it prints; `then` is done when that has the words of the cue."""
    print(f"\n── {title}", flush=True)
    code = typed.show(lambda line: then() if cue and cue in line else None)
    print(f"   {typed.age:.0f} s since it was typed", flush=True)
    if code != EXIT_CODES[end]:
        print(f"   this should have ended {end} (exit code {EXIT_CODES[end]}, not {code})")
    return code == EXIT_CODES[end]


def _pushed(bare: Path, step: Step) -> str:
    """Push a new commit from a clone, as people do; the repository tells GitHub's part of it."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", "--bare", bare, clone], check=True)  # noqa: S607 - the git that the user has
        commit = example_history.push(clone, step)
        print("   $ git push origin main", flush=True)
        words = ["git", "push", "--no-progress", "origin", "main"]
        subprocess.run(words, cwd=clone, check=True)
    return commit


def _new_name(box: Box) -> str:
    """What this telling's commits are called: they are new ones every time."""
    told = box.folder("demo") / "times"
    times = int(told.read_text()) + 1 if told.exists() else 1
    told.write_text(f"{times}")
    return f"demo-{times}"


def _environment(box: Box) -> dict[str, str]:
    values: dict[str, str] = {}
    for part in PARTS:
        values.update({k: v for k, v in part.environment(box).items() if k != "PATH"})
    return values


def _where_to_look(box: Box) -> str:
    ui = prefect_server.api(box).removesuffix("/api")
    state = "" if box.root == STATE.resolve() else f" --state {box.root}"
    return f"""
The sandbox is still running. Where to look:

  Prefect's UI     {ui}  (Runs; a run's Artifacts tab has its report)
  a shell          eval "$(.venv/bin/python -m sandbox{state} env)"
  what happened    .venv/bin/slipway history {ADAPTER}
  what was pushed  .venv/bin/slipway deliveries
  what is needed   .venv/bin/slipway doctor {ADAPTER}
  the pods         kubectl -n apps get pods
  the end          make down
"""


if __name__ == "__main__":
    sys.exit(main())

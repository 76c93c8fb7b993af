"""`python -m sandbox.demo`: the story of the README, told by a running sandbox."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from sandbox import prefect_server, repository
from sandbox.__main__ import STATE
from sandbox.box import Box
from sandbox.example_history import CRASH, WELL, adapter, push
from sandbox.parts import PARTS

ADAPTER, SINK = "ls-triton-adapter-prod", "annotations-sink-prod"
EXIT_CODES = {"live": 0, "restored": 3}


def main() -> int:
    """Tell the story; 1 when a release ended otherwise than it must."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description=__doc__)
    parser.add_argument("--state", type=Path, default=STATE)
    box = Box(parser.parse_args().state.resolve())
    environment = {**os.environ, **_environment(box)}
    good, better, crashing = _commits(box)
    story = (
        (
            "Deploy a good commit.",
            "live",
            # What the demo has rolled back the last time is held.
            ["deploy", ADAPTER, good, "--reason", "the demo begins"],
        ),
        ("Deploy the next one.", "live", ["deploy", ADAPTER, better]),
        ("Deploy one that crashes at its start.", "restored", ["deploy", ADAPTER, crashing]),
        (
            "Roll back to the first of the two.",
            "live",
            ["rollback", ADAPTER, "--to", good, "--reason", "the demo says so"],
        ),
    )
    told = [_tell(*chapter, environment) for chapter in story]
    for target in (ADAPTER, SINK):
        _show(["status", target], environment)
    print(_where_to_look(box))
    return 0 if all(told) else 1


def _commits(box: Box) -> tuple[str, str, str]:
    """Two good commits and one that crashes: the example's, and once they are told, new ones."""
    told = box.folder("demo") / "times"
    times = int(told.read_text()) if told.exists() else 0
    told.write_text(f"{times + 1}")
    if not times:
        known = repository.commits(box)
        return known["second"], known["third"], known["crashes"]
    git = repository.path(box)
    good, better, crashing = (f"demo-{times + 1}-{name}" for name in ("good", "better", "crashes"))
    made = (
        push(git, adapter(good, "Serve once more")),
        push(git, adapter(better, "Serve a little better")),
        push(git, adapter(crashing, "Read the list of models at the start", CRASH)),
    )
    push(git, adapter(f"demo-{times + 1}-well", "Do without the list of models", WELL))
    return made


def _tell(title: str, end: str, words: list[str], environment: Mapping[str, str]) -> bool:
    print(f"\n── {title}", flush=True)
    began = time.monotonic()
    code = _show(words, environment)
    print(f"   {time.monotonic() - began:.0f} s", flush=True)
    if code != EXIT_CODES[end]:
        print(f"   this should have ended {end} (exit code {EXIT_CODES[end]}, not {code})")
    return code == EXIT_CODES[end]


def _show(words: list[str], environment: Mapping[str, str]) -> int:
    """Run slipway where the person can read along; its exit code."""
    print(f"   $ slipway {' '.join(json.dumps(each) if ' ' in each else each for each in words)}")
    slipway = [sys.executable, "-c", "from slipway.cli.main import main; main()", *words]
    return subprocess.run(slipway, env=dict(environment), check=False).returncode


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
  what is needed   .venv/bin/slipway doctor {ADAPTER}
  the pods         kubectl -n apps get pods
  the end          make down
"""


if __name__ == "__main__":
    sys.exit(main())

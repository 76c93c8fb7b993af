"""`python -m sandbox.demo`: the story of the README, told by a running sandbox."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
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
SLIPWAY = [sys.executable, "-c", "from slipway.cli.main import main; main()"]
PUSHED_WITHIN = 180
"""Looks, one a second and what a look takes."""


def main() -> int:
    """Tell the story; 1 when a release ended otherwise than it must."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description=__doc__)
    parser.add_argument("--state", type=Path, default=STATE)
    box = Box(parser.parse_args().state.resolve())
    environment = {**os.environ, **_environment(box)}
    good, better, crashing = _commits(box)
    story = (
        ("Deploy a good commit.", "live", ["deploy", ADAPTER, good]),
        ("Deploy the next one.", "live", ["deploy", ADAPTER, better]),
        ("Deploy one that crashes at its start.", "restored", ["deploy", ADAPTER, crashing]),
        (
            "Roll back to the first of the two.",
            "live",
            ["rollback", ADAPTER, "--to", good, "--reason", "the demo says so"],
        ),
    )
    told = [_tell(*chapter, environment) for chapter in story]
    told.append(_tell_of_a_push(box, environment))
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


def _tell_of_a_push(box: Box, environment: Mapping[str, str]) -> bool:
    """Push a commit of the sink; what becomes of it is the webhook's to do."""
    print("\n── Push a commit of the sink. (The adapter is held since its rollback.)", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        commit = _push_from(Path(folder), repository.path(box))
    live = _wait_for(commit, SINK, environment)
    print(
        f"   {commit[:7]} is {'live' if live else 'NOT live'} at {SINK} after "
        f"{time.monotonic() - began:.0f} s"
    )
    _show(["deliveries", "--limit", "1"], environment)
    return live


def _push_from(folder: Path, bare: Path) -> str:
    """Clone, change the sink, commit and push, as a developer does; the commit."""
    clone = ["git", "clone", "--quiet", str(bare), str(folder)]
    subprocess.run(clone, check=True)
    (folder / "sink" / "src" / "release").write_text(f"pushed at {time.time():.0f}\n")
    author = ["-c", "user.name=ada", "-c", "user.email=ada@example.invalid"]
    git = ["git", "-C", str(folder), *author]
    subprocess.run([*git, "commit", "--quiet", "--all", "--message", "Say when"], check=True)
    print("   $ git push origin main", flush=True)
    subprocess.run([*git, "push", "origin", "HEAD:main"], check=True)
    shown = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return shown.stdout.strip()


def _wait_for(commit: str, target: str, environment: Mapping[str, str]) -> bool:
    """Whether the commit's release ends live."""
    words = ["history", target, "--limit", "1", "--json"]
    for _ in range(PUSHED_WITHIN):
        shown = subprocess.run(
            [*SLIPWAY, *words], env=dict(environment), check=True, capture_output=True, text=True
        )
        for each in json.loads(shown.stdout):
            if each["commit"] == commit and each["ended"]:
                return bool(each["state"] == "live")
        time.sleep(1)
    return False


def _show(words: list[str], environment: Mapping[str, str]) -> int:
    """Run slipway where the person can read along; its exit code."""
    print(f"   $ slipway {' '.join(json.dumps(each) if ' ' in each else each for each in words)}")
    return subprocess.run([*SLIPWAY, *words], env=dict(environment), check=False).returncode


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
  what was pushed  .venv/bin/slipway deliveries   (git clone, commit, push: it deploys by itself)
  what is needed   .venv/bin/slipway doctor {ADAPTER}
  the pods         kubectl -n apps get pods
  the end          make down
"""


if __name__ == "__main__":
    sys.exit(main())

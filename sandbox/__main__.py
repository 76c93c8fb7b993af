"""`python -m sandbox`: the outside world on this machine."""

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sandbox.box import Box, Options
from sandbox.part import Part, crashed, is_up, start_all, stop_all
from sandbox.parts import PARTS
from sandbox.prepare import prepare
from sandbox.processes import PartFailed, Processes

STATE = Path(".sandbox")


def main() -> int:
    """Do what the first word says; the exit code."""
    arguments = _parser().parse_args()
    given = Options(arguments.kubeconfig, arguments.docker_host, arguments.pulumi)
    box = Box(arguments.state.resolve(), given)
    parts = PARTS
    if arguments.command != "up" or is_up(box, PARTS):
        box = box.with_remembered_options()
    commands: dict[str, Callable[[], int]] = {
        "prepare": _prepare,
        "up": lambda: _up(box, parts),
        "down": lambda: _down(box, parts),
        "reset": lambda: _reset(box, parts),
        "status": lambda: _status(box, parts),
        "logs": lambda: _logs(box, arguments.name),
        "env": lambda: _env(box, parts),
    }
    return commands[arguments.command]()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--state", type=Path, default=STATE, help="the folder of this sandbox")
    parser.add_argument("--kubeconfig", default="", help="use this cluster instead")
    parser.add_argument("--docker-host", default="", help="use this engine instead")
    parser.add_argument("--pulumi", default="", help="use this pulumi command instead")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("prepare", "install and build what is missing"),
        ("up", "bring everything up, and leave the example as if deployed by hand"),
        ("down", "end everything; what was stored stays"),
        ("reset", "end everything and forget it"),
        ("status", "what runs, and the log of what has crashed"),
        ("env", 'what a shell needs: eval "$(python -m sandbox env)"'),
    ):
        commands.add_parser(name, help=text)
    commands.add_parser("logs", help="print a process' log").add_argument("name")
    return parser


def _prepare() -> int:
    problems = prepare()
    for problem in problems:
        print(f"missing: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _up(box: Box, parts: Sequence[Part]) -> int:
    if _prepare():
        return 1
    if is_up(box, parts):
        print("the sandbox is up already; python -m sandbox status tells what runs")
        return 0
    box.remember_options()
    began = time.monotonic()
    try:
        start_all(box, parts)
    except PartFailed as error:
        print(f"the sandbox did not come up: {error}", file=sys.stderr)
        return 1
    print(f"the sandbox is up after {time.monotonic() - began:.0f} s")
    return 0


def _down(box: Box, parts: Sequence[Part]) -> int:
    stop_all(box, parts)
    print("the sandbox is down")
    return 0


def _reset(box: Box, parts: Sequence[Part]) -> int:
    stop_all(box, parts)
    shutil.rmtree(box.root, ignore_errors=True)
    print("the sandbox is down and forgotten")
    return 0


def _status(box: Box, parts: Sequence[Part]) -> int:
    processes = Processes(box)
    broken = {name for _, name in crashed(box, parts)}
    for part in parts:
        for name in part.processes:
            process = processes.find(name)
            shown = "crashed" if name in broken else f"pid {process.pid}" if process else "down"
            memory = f"{_memory(process.pid):6.0f} MiB" if process and name not in broken else ""
            print(f"{part.name:<14} {name:<26} {shown:<12} {memory}")
    for name in sorted(broken):
        print(f"\n{name} has crashed; the end of {processes.log(name)}:\n{processes.tail(name)}")
    return 1 if broken else 0


def _memory(pid: int) -> float:
    """Proportional set size in MiB: what is shared counts once over all processes."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _logs(box: Box, name: str) -> int:
    log = Processes(box).log(name)
    if not log.exists():
        known = ", ".join(sorted(path.stem for path in log.parent.glob("*.log")))
        print(f"no log of {name!r}; there are: {known or 'none'}", file=sys.stderr)
        return 1
    sys.stdout.write(log.read_text(errors="replace"))
    return 0


def _env(box: Box, parts: Sequence[Part]) -> int:
    paths: list[str] = []
    for part in parts:
        for name, value in part.environment(box).items():
            if name == "PATH":
                paths.append(value)
            else:
                print(f"export {name}={value!r}")
    print(f'export PATH={":".join(paths)!r}:"$PATH"')
    return 0


if __name__ == "__main__":
    sys.exit(main())

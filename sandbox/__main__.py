"""`python -m sandbox`: the outside world on this machine."""

import argparse
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sandbox.box import Box, Options
from sandbox.memory import by_process
from sandbox.part import Part, crashed, is_up, start_all, stop_all
from sandbox.parts import PARTS
from sandbox.prepare import NotPrepared, prepare
from sandbox.processes import PartFailed, Processes

STATE = Path(".sandbox")


def main() -> int:
    """Do what the first word says; the exit code."""
    arguments = _parser().parse_args()
    given = Options(_path(arguments.kubeconfig), arguments.docker_host, _path(arguments.pulumi))
    box = Box(arguments.state.resolve(), given)
    if arguments.command not in {"up", "prepare"}:
        box = box.with_remembered_options()
    commands: dict[str, Callable[[], int]] = {
        "prepare": lambda: _prepare(given, tests=arguments.tests),
        "up": lambda: _up(box, PARTS),
        "down": lambda: _down(box, PARTS),
        "reset": lambda: _reset(box, PARTS),
        "status": lambda: _status(box, PARTS),
        "logs": lambda: _logs(box, arguments.name),
        "env": lambda: _env(box, PARTS),
    }
    return commands[arguments.command]()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    _add_options(parser, where=STATE, nothing="")
    # The same options after the command, where people type them: given there, they win.
    common = argparse.ArgumentParser(add_help=False)
    _add_options(common, where=argparse.SUPPRESS, nothing=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("prepare", "install and build what is missing"),
        ("up", "bring everything up, and leave the example as if deployed by hand"),
        ("down", "end everything; what was stored stays"),
        ("reset", "end everything and forget it"),
        ("status", "what runs with its memory, and the log of what has crashed"),
        ("env", 'what a shell needs: eval "$(python -m sandbox env)"'),
        ("logs", "print a process' log"),
    ):
        command = commands.add_parser(name, help=text, description=text, parents=[common])
        if name == "logs":
            command.add_argument("name")
        if name == "prepare":
            command.add_argument("--tests", action="store_true", help="what the tests need, too")
    return parser


def _add_options(parser: argparse.ArgumentParser, *, where: Path | str, nothing: str) -> None:
    parser.add_argument("--state", type=Path, default=where, help="the folder of this sandbox")
    parser.add_argument("--kubeconfig", default=nothing, help="use this cluster instead")
    parser.add_argument("--docker-host", default=nothing, help="use this engine instead")
    parser.add_argument("--pulumi", default=nothing, help="use this pulumi command instead")


def _path(given: str) -> str:
    """Absolute, for processes that work elsewhere; nothing stays nothing."""
    return str(Path(given).expanduser().resolve()) if given else ""


def _prepare(options: Options, *, tests: bool = False) -> int:
    try:
        problems = prepare(options, tests=tests)
    except NotPrepared as error:
        problems = [str(error)]
    for problem in problems:
        print(f"missing: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _up(box: Box, parts: Sequence[Part]) -> int:
    before = box.with_remembered_options()
    if is_up(before, parts):
        return _is_up_already(before, box.options)
    if _prepare(box.options):
        return 1
    box.remember_options()
    began = time.monotonic()
    try:
        start_all(box, parts)
    except PartFailed as error:
        print(f"the sandbox did not come up: {error}", file=sys.stderr)
        return 1
    print(f"the sandbox is up after {time.monotonic() - began:.0f} s")
    return 0


def _is_up_already(box: Box, asked: Options) -> int:
    if asked not in {Options(), box.options}:
        has = str(box.options) or "parts of its own"
        remedy = "end it first (python -m sandbox down)"
        print(f"the sandbox is up with {has}, not with {asked}: {remedy}", file=sys.stderr)
        return 1
    print("the sandbox is up already; python -m sandbox status tells what runs")
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
    memory = by_process(box)
    broken = {name for _, name in crashed(box, parts)}
    for part in parts:
        for name in part.processes:
            process = processes.find(name)
            shown = "crashed" if name in broken else f"pid {process.pid}" if process else "down"
            used = f"{memory[name]:6.0f} MiB" if memory.get(name) else ""
            print(f"{part.name:<14} {name:<26} {shown:<12} {used}")
    print(f"{'in all, with pods and runs':<54} {sum(memory.values()):6.0f} MiB")
    for name in sorted(broken):
        print(f"\n{name} has crashed; the end of {processes.log(name)}:\n{processes.tail(name)}")
    return 1 if broken else 0


def _logs(box: Box, name: str) -> int:
    log = Processes(box).log(name)
    if not log.exists():
        known = ", ".join(sorted(path.stem for path in log.parent.glob("*.log")))
        print(f"no log of {name!r}; there are: {known or 'none'}", file=sys.stderr)
        return 1
    sys.stdout.write(log.read_text(errors="replace"))
    return 0


def _env(box: Box, parts: Sequence[Part]) -> int:
    if not is_up(box, parts):
        print("the sandbox is not up: python -m sandbox up (status tells why)", file=sys.stderr)
        return 1
    # This Python's own folder has `slipway` and `prefect`.
    paths = [str(Path(sys.executable).parent)]
    for part in parts:
        for name, value in part.environment(box).items():
            if name == "PATH":
                paths.append(value)
            else:
                print(f"export {name}={shlex.quote(value)}")
    print(f'export PATH={shlex.quote(":".join(paths))}:"$PATH"')
    return 0


if __name__ == "__main__":
    sys.exit(main())

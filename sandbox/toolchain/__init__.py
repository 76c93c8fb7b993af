"""The Go-built tools: Kubernetes and the Pulumi CLI, from pinned modules, built once."""

import hashlib
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from sandbox import cache

ROOT = Path(__file__).parent
KUBERNETES = "v1.34.4"
PULUMI = "v3.259.0"
PULUMI_YAML = "v1.38.3"
LOOK_EVERY = 0.2
TELL_EVERY = 20.0
SHOWN_LINES = 15


class BuildFailed(Exception):
    """go could not build a tool; the message ends with what it said."""


@dataclass(frozen=True)
class Tool:
    """One binary of a Go module in this folder, and the names that it is called by."""

    name: str
    module: str
    package: str
    variables: tuple[tuple[str, str], ...]
    minutes: int
    names: tuple[str, ...] = ()
    """Symbolic links to the binary: it runs the component that it is called as."""


TOOLS = (
    Tool(
        "pulumi",
        "pulumi",
        "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        (("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version", PULUMI),),
        minutes=5,
    ),
    Tool(
        "pulumi-language-yaml",
        "pulumi",
        "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml",
        (("github.com/pulumi/pulumi-yaml/pkg/version.Version", PULUMI_YAML),),
        minutes=1,
    ),
    Tool(
        "kubernetes",
        "kubernetes",
        ".",
        # Without their version the components refuse each other.
        tuple(
            (f"k8s.io/{room}/version.{name}", value)
            for room in ("component-base", "client-go/pkg")
            for name, value in (("gitVersion", KUBERNETES), ("gitMajor", "1"), ("gitMinor", "34"))
        ),
        minutes=6,
        names=(
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kubectl",
        ),
    ),
)


def folder(tool: Tool) -> Path:
    """Where a tool lies once built: one folder a content, shared by every clone."""
    return cache.folder() / "toolchain" / f"{tool.name}-{_fingerprint(tool)}"


def is_built(tool: Tool) -> bool:
    """Whether there is nothing to do."""
    return (folder(tool) / tool.name).exists()


def binary(name: str) -> Path:
    """The path of a built tool or of one of its names; `FileNotFoundError` when it is not built."""
    for tool in TOOLS:
        if name == tool.name or name in tool.names:
            if not is_built(tool):
                raise FileNotFoundError(f"{name} is not built: python -m sandbox prepare")
            return folder(tool) / name
    raise KeyError(name)


def build(tool: Tool) -> None:
    """Build a tool, telling how far it is; `BuildFailed` with the end of what go said."""
    print(f"toolchain: building {tool.name} (about {tool.minutes} min) …", flush=True)
    began = time.monotonic()
    target = folder(tool)
    making = target.with_name(f"{target.name}.{os.getpid()}")
    making.mkdir(parents=True)
    try:
        _build_in(making, tool)
        for name in tool.names:
            (making / name).symlink_to(tool.name)
        if not target.exists():  # another clone may have been quicker
            making.rename(target)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    print(f"toolchain: {tool.name} built in {time.monotonic() - began:.0f} s", flush=True)


def _build_in(making: Path, tool: Tool) -> None:
    flags = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in tool.variables)])
    _run_go(tool, making / "modules.log", ["list", "-deps", tool.package], "{} modules fetched")
    total = (making / "modules.log").read_text(errors="replace").count("\n")
    # `-v` names each package as it is compiled; `-o` and a folder keep the binary's own name.
    words = ["build", "-v", "-trimpath", "-ldflags", flags, "-o", str(making / tool.name)]
    _run_go(
        tool,
        making / "build.log",
        [*words, tool.package],
        f"{{}} of at most {total} packages compiled",
    )


def _run_go(tool: Tool, log: Path, words: list[str], done: str) -> None:
    """Run go with its output in a file, and tell now and then what is done: a line each."""
    with log.open("wb") as output:
        go = subprocess.Popen(
            [_go(), *words], cwd=ROOT / tool.module, stdout=output, stderr=subprocess.STDOUT
        )
    began = told = time.monotonic()
    while go.poll() is None:
        time.sleep(LOOK_EVERY)
        if time.monotonic() >= told + TELL_EVERY:
            told = time.monotonic()
            lines = log.read_bytes().count(b"\n")
            print(f"toolchain:   {told - began:3.0f} s: {done.format(lines)}", flush=True)
    if go.returncode:
        said = "\n".join(log.read_text(errors="replace").splitlines()[-SHOWN_LINES:])
        raise BuildFailed(f"go {words[0]} of {tool.name} failed; mend that, start again:\n{said}")


def _go() -> str:
    found = shutil.which("go")
    if found is None:
        raise FileNotFoundError("Go is not on PATH: install Go 1.25 or newer (go.dev/doc/install)")
    return found


def _fingerprint(tool: Tool) -> str:
    sources = sorted((ROOT / tool.module).iterdir())
    content = b"".join(path.read_bytes() for path in sources) + repr(tool).encode()
    return hashlib.sha256(content).hexdigest()[:16]

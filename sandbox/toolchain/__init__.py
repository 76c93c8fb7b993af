"""The Go-built tools: Kubernetes and the Pulumi CLI, from pinned modules, built once."""

import hashlib
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent
KUBERNETES = "v1.34.4"
PULUMI = "v3.259.0"
PULUMI_YAML = "v1.38.3"


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
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "slipway" / "toolchain" / f"{tool.name}-{_fingerprint(tool)}"


def is_built(tool: Tool) -> bool:
    """Whether there is nothing to do."""
    return (folder(tool) / tool.name).exists()


def missing_minutes() -> int:
    """About how many minutes building what is missing takes on two cores."""
    return sum(tool.minutes for tool in TOOLS if not is_built(tool))


def binary(name: str) -> Path:
    """The path of a built tool or of one of its names; `FileNotFoundError` when it is not built."""
    for tool in TOOLS:
        if name == tool.name or name in tool.names:
            if not is_built(tool):
                raise FileNotFoundError(f"{name} is not built: python -m sandbox prepare")
            return folder(tool) / name
    raise KeyError(name)


def build_missing() -> None:
    """Build what is missing, with a line a tool before and after."""
    for tool in TOOLS:
        if is_built(tool):
            continue
        print(f"toolchain: building {tool.name} (about {tool.minutes} min) …", flush=True)
        began = time.monotonic()
        _build(tool)
        print(f"toolchain: {tool.name} built in {time.monotonic() - began:.0f} s", flush=True)


def _build(tool: Tool) -> None:
    target = folder(tool)
    making = target.with_name(f"{target.name}.{os.getpid()}")
    making.mkdir(parents=True)
    flags = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in tool.variables)])
    try:
        subprocess.run(
            [
                _go(),
                "build",
                "-trimpath",
                "-ldflags",
                flags,
                "-o",
                making / tool.name,
                tool.package,
            ],
            cwd=ROOT / tool.module,
            check=True,
        )
        for name in tool.names:
            (making / name).symlink_to(tool.name)
        if not target.exists():  # another clone may have been quicker
            making.rename(target)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _go() -> str:
    found = shutil.which("go")
    if found is None:
        raise FileNotFoundError("Go is not on PATH: install Go 1.25 or newer (go.dev/doc/install)")
    return found


def _fingerprint(tool: Tool) -> str:
    sources = sorted((ROOT / tool.module).iterdir())
    content = b"".join(path.read_bytes() for path in sources) + repr(tool).encode()
    return hashlib.sha256(content).hexdigest()[:16]

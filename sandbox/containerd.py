"""The node's container runtime: a containerd of its own, a bridge for the pods, no trace after."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path

from sandbox.box import Box
from sandbox.processes import Processes

PAUSE = "slipway.sandbox/pause:1"
BUSYBOX = Path("/bin/busybox")
READY_WITHIN = 180.0
GONE_WITHIN = 15.0


def gateway(box: Box) -> str:
    """The bridge's address: the host as the pods see it."""
    return f"{box.network}.1"


def bridge(box: Box) -> str:
    """The bridge's name; the kernel takes fifteen characters."""
    return f"slipway-{box.id}"


def control_group(box: Box) -> str:
    """The control group under which the kubelet keeps its pods."""
    return f"/slipway-{box.id}"


def start(box: Box) -> None:
    """Make bridge and control group, start containerd, and give it the pause image."""
    _make_control_group(box)
    _make_bridge(box)
    _write_configuration(box)
    processes = Processes(box)
    configuration = box.folder("containerd") / "config.toml"
    processes.start("containerd", ["/usr/bin/containerd", "--config", configuration])
    processes.wait(
        "containerd", "containerd answers", lambda: _ctr(box, "version") is not None, READY_WITHIN
    )
    _import_pause(box)


def clean(box: Box) -> None:
    """End what containerd has left: shims with their containers, mounts, namespaces, the bridge."""
    end_shims(str(box.socket("containerd.sock")))
    # Containers whose shim was killed before are nobody's any more.
    _end([pid for folder in _control_group_folders(box) for pid in _members(folder)])
    unmount(str(box.root))
    for namespace in _namespaces(box):
        _run("umount", str(namespace))
        namespace.unlink(missing_ok=True)
    _run("ip", "link", "delete", bridge(box))
    for folder in _control_group_folders(box):
        _remove_control_group(folder)


def _write_configuration(box: Box) -> None:
    folder = box.folder("containerd")
    network = box.folder("containerd", "cni")
    (folder / "config.toml").write_text(_configuration(box, network))
    subnet = f"{box.network}.0/24"
    plugin = {
        "type": "bridge",
        "bridge": bridge(box),
        "isGateway": True,
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": subnet}]],
            "dataDir": str(box.folder("containerd", "addresses")),
        },
    }
    content = {"cniVersion": "0.4.0", "name": bridge(box), "plugins": [plugin]}
    (network / "10-sandbox.conflist").write_text(json.dumps(content, indent=2))


def _configuration(box: Box, network: Path) -> str:
    folder = box.folder("containerd")
    plugin = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
root = "{folder / "root"}"
state = "{folder / "state"}"
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
address = "{box.socket("containerd.sock")}"

[{plugin}]
sandbox_image = "{PAUSE}"
# A negative OOM score may not be set without CAP_SYS_RESOURCE; runc would end every pod for it.
restrict_oom_score_adj = true
stream_server_address = "127.0.0.1"

[{plugin}.cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{network}"

[{plugin}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[{plugin}.containerd.runtimes.runc.options]
SystemdCgroup = false

[{plugin}.registry]
config_path = "{box.folder("containerd", "registries")}"
"""


def allow_http(box: Box, host: str) -> None:
    """Let containerd pull from this registry by plain http."""
    folder = box.folder("containerd", "registries", host)
    (folder / "hosts.toml").write_text(
        f'server = "http://{host}"\n\n[host."http://{host}"]\ncapabilities = ["pull", "resolve"]\n'
    )


def _import_pause(box: Box) -> None:
    if PAUSE in (_ctr(box, "-n", "k8s.io", "images", "list", "-q") or ""):
        return
    archive = box.folder("containerd") / "pause.tar"
    archive.write_bytes(_pause_archive())
    _ctr(box, "-n", "k8s.io", "images", "import", str(archive))


def _pause_archive() -> bytes:
    """An image that sleeps, in the format of `docker save`: busybox and nothing else."""
    layer = _tar({"busybox": (BUSYBOX.read_bytes(), 0o755)})
    command = ["/busybox", "sleep", "2147483647"]
    configuration = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": command},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha256(layer)}"]},
        }
    ).encode()
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE], "Layers": ["layer.tar"]}]
    return _tar(
        {
            "manifest.json": (json.dumps(manifest).encode(), 0o644),
            "config.json": (configuration, 0o644),
            "layer.tar": (layer, 0o644),
        }
    )


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _make_bridge(box: Box) -> None:
    if _run("ip", "link", "show", bridge(box)) is not None:
        return
    _must("ip", "link", "add", bridge(box), "type", "bridge")
    _must("ip", "address", "add", f"{gateway(box)}/24", "dev", bridge(box))
    _must("ip", "link", "set", bridge(box), "up")


def _make_control_group(box: Box) -> None:
    for folder in _control_group_folders(box):
        folder.mkdir(exist_ok=True)
        if folder.parent.name == "cpuset":  # version 1 wants these before a process may enter
            for name in ("cpuset.cpus", "cpuset.mems"):
                (folder / name).write_text((folder.parent / name).read_text())


def _members(folder: Path) -> list[int]:
    """The processes of a group, and of the groups below it."""
    listed = [path.read_text().split() for path in folder.rglob("cgroup.procs")]
    return [int(pid) for pids in listed for pid in pids]


def _remove_control_group(folder: Path) -> None:
    """Remove a group and what is below it; the kernel says busy while a process is still ending."""
    deadline = time.monotonic() + GONE_WITHIN
    while folder.exists() and time.monotonic() < deadline:
        below = [path for path in folder.rglob("*") if path.is_dir()]
        for path in [*sorted(below, reverse=True), folder]:
            with contextlib.suppress(OSError):
                path.rmdir()
        time.sleep(0.05)


def _control_group_folders(box: Box) -> list[Path]:
    """Our group in every hierarchy: one folder a controller in version 1, one in version 2."""
    root = Path("/sys/fs/cgroup")
    name = control_group(box).strip("/")
    if (root / "cgroup.controllers").exists():
        return [root / name]
    return [each / name for each in root.iterdir() if each.is_dir() and not each.is_symlink()]


def end_shims(address: str) -> None:
    """End a containerd's shims and containers, which outlive it.

    Shims carry its socket's path in their arguments; their containers are their children.
    """
    shims = [pid for pid in _processes() if address in _arguments(pid)]
    containers = [pid for pid in _processes() if _parent(pid) in shims]
    _end([*containers, *shims])


def end_all_with(argument: str) -> None:
    """End every process that has exactly this argument, a path that only ours can have."""
    _end([pid for pid in _processes() if argument in _arguments(pid)])


def _end(pids: list[int]) -> None:
    for pid in pids:
        _kill(pid)
    deadline = time.monotonic() + GONE_WITHIN
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() >= deadline:
            break
        time.sleep(0.05)


def unmount(below: str) -> None:
    """Unmount a folder and whatever is mounted below it, deepest first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    ours = [each for each in points if each == below or each.startswith(f"{below}/")]
    for point in sorted(ours, key=len, reverse=True):
        _run("umount", "--lazy", point)


def _namespaces(box: Box) -> list[Path]:
    """The network namespaces whose addresses came from our subnet."""
    folder = Path("/run/netns")
    if not folder.exists():
        return []
    ours = []
    for path in folder.glob("cni-*"):
        addresses = _run("ip", "netns", "exec", path.name, "ip", "-4", "address") or ""
        if f"inet {box.network}." in addresses:
            ours.append(path)
    return ours


def _processes() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]


def _arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _ctr(box: Box, *arguments: str) -> str | None:
    return _run("ctr", "--address", str(box.socket("containerd.sock")), *arguments)


def _run(program: str, *arguments: str) -> str | None:
    """A command's output, None when it failed."""
    done = subprocess.run(
        [shutil.which(program) or program, *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


def _must(program: str, *arguments: str) -> None:
    subprocess.run([shutil.which(program) or program, *arguments], check=True)

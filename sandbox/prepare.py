"""What the sandbox needs of this machine: all of it said, with what to do, before any long work."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox import toolchain

GO_AT_LEAST = (1, 25)


@dataclass(frozen=True)
class Package:
    """A Debian package, and the file by which its presence shows."""

    name: str
    file: str


PACKAGES = (
    Package("docker.io", "/usr/bin/containerd"),
    Package("docker.io", "/usr/sbin/dockerd"),
    Package("docker-registry", "/usr/bin/docker-registry"),
    Package("containernetworking-plugins", "/usr/lib/cni/bridge"),
    Package("busybox-static", "/bin/busybox"),
    Package("iproute2", "/sbin/ip"),
    Package("iptables", "/usr/sbin/iptables"),
    Package("conntrack", "/usr/sbin/conntrack"),
    Package("openssl", "/usr/bin/openssl"),
    Package("git", "/usr/bin/git"),
    Package("skopeo", "/usr/bin/skopeo"),
)


def prepare() -> list[str]:
    """Install and build what is missing; the list of what a person has to do first, if anything."""
    problems = find_problems()
    if problems:
        return problems
    _install([each for each in PACKAGES if not Path(each.file).exists()])
    minutes = toolchain.missing_minutes()
    if minutes:
        print(f"toolchain: about {minutes} minutes of building, once per machine", flush=True)
        toolchain.build_missing()
    return []


def find_problems() -> list[str]:
    """What is missing and can't be had without a person, each with what to do."""
    problems = []
    if os.geteuid() != 0:
        problems.append(
            "root is needed: the kubelet makes control groups, mounts and a network bridge; run it "
            "as root, for instance in a virtual machine"
        )
    missing = sorted({each.name for each in PACKAGES if not Path(each.file).exists()})
    if missing and shutil.which("apt-get") is None:
        problems.append(f"install the counterparts of these Debian packages: {' '.join(missing)}")
    if toolchain.missing_minutes() and (problem := _go_problem()):
        problems.append(problem)
    if not Path("/sys/fs/cgroup").exists():
        problems.append("control groups are needed: mount them at /sys/fs/cgroup")
    return problems


def _go_problem() -> str:
    wanted = ".".join(map(str, GO_AT_LEAST))
    remedy = f"install Go {wanted} or newer (go.dev/doc/install): it builds Kubernetes and Pulumi"
    go = shutil.which("go")
    if go is None:
        return f"Go is not on PATH: {remedy}"
    done = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False)
    version = done.stdout.strip().removeprefix("go")
    numbers = tuple(int(each) for each in version.split(".")[:2] if each.isdigit())
    return "" if numbers >= GO_AT_LEAST else f"Go is {version or 'unreadable'}: {remedy}"


def _install(packages: list[Package]) -> None:
    names = sorted({each.name for each in packages})
    if not names:
        return
    print(f"packages: installing {' '.join(names)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = shutil.which("apt-get") or "apt-get"
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends"]):
        subprocess.run(
            [apt, *arguments, *(names if "install" in arguments else [])],
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
        )

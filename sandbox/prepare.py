"""What the sandbox needs of this machine: all of it said, with what to do, before any long work.

Imports only the standard library: `python -m sandbox.prepare` looks at a machine that has no
virtual environment yet.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox import toolchain
from sandbox.box import USUAL_DOCKER, Options, listens

GO_AT_LEAST = (1, 25)
SHOWN_LINES = 15


@dataclass(frozen=True)
class Package:
    """A Debian package, the file by which its presence shows, and the part that needs it."""

    name: str
    file: str
    part: str

    @property
    def present(self) -> bool:
        """Whether it is installed; a `*` in the file's path stands for a version."""
        file = Path(self.file)
        return any(Path("/").glob(str(file.relative_to("/"))))


PACKAGES = (
    Package("docker.io", "/usr/sbin/dockerd", "docker"),
    Package("docker.io", "/usr/bin/containerd", "kubernetes"),
    Package("docker-registry", "/usr/bin/docker-registry", "registry"),
    Package("containernetworking-plugins", "/usr/lib/cni/bridge", "kubernetes"),
    Package("busybox-static", "/bin/busybox", "example"),
    Package("iproute2", "/sbin/ip", "kubernetes"),
    Package("iptables", "/usr/sbin/iptables", "kubernetes"),
    Package("conntrack", "/usr/sbin/conntrack", "kubernetes"),
    Package("openssl", "/usr/bin/openssl", "registry"),
    Package("git", "/usr/bin/git", "git"),
    Package("skopeo", "/usr/bin/skopeo", "tests"),
    Package("postgresql", "/usr/lib/postgresql/*/bin/initdb", "tests"),
)


class NotPrepared(Exception):
    """Something could not be installed or built; the message ends with what was said about it."""


@dataclass(frozen=True)
class Needs:
    """What is needed here: less where the user's own is used, more where the tests are to run."""

    packages: Sequence[Package]
    tools: Sequence[toolchain.Tool]
    root: bool

    @property
    def missing(self) -> list[str]:
        """The names of the packages that are not there."""
        return sorted({each.name for each in self.packages if not each.present})

    @property
    def unbuilt(self) -> list[toolchain.Tool]:
        """The tools that are not built."""
        return [each for each in self.tools if not toolchain.is_built(each)]


def find_needs(options: Options, *, tests: bool = False) -> Needs:
    """What has to be there for a sandbox with these options."""
    own = {"registry", "example", "git"}
    own |= {"tests"} if tests else set()
    own |= set() if options.kubeconfig else {"kubernetes"}
    own |= set() if options.pulumi else {"pulumi"}
    own |= set() if options.docker_host or listens(USUAL_DOCKER) else {"docker"}
    return Needs(
        [each for each in PACKAGES if each.part in own],
        [each for each in toolchain.TOOLS if each.module in own],
        root=bool(own & {"kubernetes", "docker"}),
    )


def prepare(options: Options = Options(), *, tests: bool = False) -> list[str]:  # noqa: B008 - never changed
    """Install and build what is missing; the list of what a person has to do first, if anything.

    `NotPrepared` when that fails.
    """
    needs = find_needs(options, tests=tests)
    problems = find_problems(needs)
    if problems:
        return problems
    _install(needs.missing)
    minutes = sum(each.minutes for each in needs.unbuilt)
    if minutes:
        print(f"toolchain: about {minutes} minutes of building, once per machine", flush=True)
    for tool in needs.unbuilt:
        try:
            toolchain.build(tool)
        except toolchain.BuildFailed as error:
            raise NotPrepared(str(error)) from error
    return []


def find_problems(needs: Needs) -> list[str]:
    """What is missing and can't be had without a person, each with what to do."""
    problems = []
    if needs.root and os.geteuid() != 0:
        problems.append(
            "root is needed: the kubelet makes control groups, mounts and a network bridge; run it "
            "as root, for instance in a virtual machine, or use a cluster and a Docker engine of "
            "your own (sandbox/README.md)"
        )
    if needs.missing and shutil.which("apt-get") is None:
        problems.append(
            f"install the counterparts of these Debian packages: {' '.join(needs.missing)}"
        )
    elif needs.missing and os.geteuid() != 0 and not needs.root:
        problems.append(f"as root: apt-get install {' '.join(needs.missing)}")
    if needs.unbuilt and (problem := _go_problem()):
        problems.append(problem)
    if needs.root and not Path("/sys/fs/cgroup").exists():
        problems.append("control groups are needed: mount them at /sys/fs/cgroup")
    if importlib.util.find_spec("ensurepip") is None:
        problems.append("this Python can't make virtual environments: apt-get install python3-venv")
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


def _install(names: Sequence[str]) -> None:
    if not names:
        return
    print(f"packages: installing {' '.join(names)}", flush=True)
    _apt("update", "-qq")
    _apt("install", "-y", "-qq", "--no-install-recommends", *names)


def _apt(*arguments: str) -> None:
    apt = shutil.which("apt-get") or "apt-get"
    done = subprocess.run(
        [apt, *arguments],
        check=False,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-SHOWN_LINES:])
        raise NotPrepared(f"apt-get {arguments[0]} failed; mend that, and start again:\n{said}")


def main() -> int:
    """Say what a person has to do before anything is installed; 1 when there is something."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.prepare", description=main.__doc__)
    parser.add_argument("--tests", action="store_true", help="what the whole suite needs, too")
    problems = find_problems(find_needs(Options(), tests=parser.parse_args().tests))
    for problem in problems:
        print(f"missing: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

"""Typing a remedy exactly as a finding prints it, on the machine of an operator."""

import asyncio
import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox import image_registry, kubernetes, pulumi, toolchain
from sandbox.token_issuer.accounts import PUBLISHER
from slipway.ports import Ports
from tests.sandbox.audit.looking import found, shown
from tests.sandbox.releases.real_world import RealWorld

TYPED_WITHIN = 300.0
"""Seconds: a whole release, on a machine that has other things to do."""
SLIPWAY = """\
#!/bin/sh
case "$1" in deploy|rollback) set -- "$@" --local ;; esac
exec {python} -c 'from slipway.cli.main import main; main()' "$@"
"""
KUBECTL = """\
#!/bin/sh
exec {kubectl} --kubeconfig={kubeconfig} "$@"
"""
PULUMI = """\
#!/bin/sh
case "$1" in up) set -- "$@" --yes --skip-preview --non-interactive --cwd {program} ;; esac
exec {pulumi} "$@"
"""
"""Whoever types `pulumi up` is in the program's folder, and says yes."""
SKOPEO = """\
#!/bin/sh
exec /usr/bin/skopeo --registries-conf={conf} "$@"
"""
REGISTRIES = """\
[[registry]]
location = "{host}"
insecure = true
"""


@dataclass(frozen=True)
class Keyboard:
    """A shell that finds slipway, kubectl, pulumi and skopeo, and their credentials."""

    environment: dict[str, str]
    folder: Path

    async def type(self, command: str, *ends: int, folder: Path | None = None) -> str:
        """Type a command; its output.

        The test fails when its exit code is none of these, and not 0 where none are given.
        """
        done = await asyncio.to_thread(
            subprocess.run,
            ["/bin/bash", "-o", "pipefail", "-c", command],
            env=self.environment,
            cwd=folder or self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=TYPED_WITHIN,
        )
        assert done.returncode in (ends or {0}), f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


def make_keyboard(world: RealWorld, folder: Path) -> Keyboard:
    """The operator's machine, in a folder."""
    root = str(Path(__file__).parents[3])
    programs = {
        "slipway": SLIPWAY.format(python=sys.executable),
        "kubectl": KUBECTL.format(
            kubectl=toolchain.binary("kubectl"), kubeconfig=kubernetes.kubeconfig(world.box)
        ),
    }
    checkout = world.operator.checkout
    programs["pulumi"] = PULUMI.format(
        pulumi=pulumi.command(world.box), program=checkout / "cluster"
    )
    programs["skopeo"] = SKOPEO.format(conf=folder / "registries.conf")
    binaries = folder / "bin"
    binaries.mkdir()
    for name, text in programs.items():
        (binaries / name).write_text(text)
        (binaries / name).chmod(0o755)
    host = image_registry.host(world.box)
    account = image_registry.accounts(world.box)[PUBLISHER]
    token = _basic(account.username, account.password)
    (folder / "auth.json").write_text(json.dumps({"auths": {host: {"auth": token}}}))
    (folder / "registries.conf").write_text(REGISTRIES.format(host=host))
    environment = {
        **world.environment,
        **pulumi.PulumiCloud().environment(world.box),
        "KUBECONFIG": str(kubernetes.kubeconfig(world.box)),
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": root,
        "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
        **{f"GIT_{who}_NAME": "Bob" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "bob@example.invalid" for who in ("AUTHOR", "COMMITTER")},
    }
    return Keyboard(environment, folder)


def _basic(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


async def require_mended(
    world: RealWorld,
    keyboard: Keyboard,
    rule: str,
    *,
    folder: Path | None = None,
    ports: Ports | None = None,
) -> str:
    """Exactly this is found, and its command, typed as printed, ends it; gives the command."""
    findings = await found(world, ports=ports)
    assert set(findings) == {rule}, shown(findings.values())
    command = findings[rule].remedy.command
    await keyboard.type(command, folder=folder)

    assert await found(world, ports=ports) == {}
    return command

"""Pulumi in the sandbox: the real CLI, a stand-in for Pulumi Cloud, a stand-in for the provider."""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from sandbox import kubernetes_provider, toolchain
from sandbox.box import Box
from sandbox.processes import Processes
from sandbox.pulumi_cloud.accounts import SECTION, new_credentials

ORGANIZATION = "acme"
READY_WITHIN = 180.0


class PulumiCloud:
    """The stand-in for Pulumi Cloud, and the CLI that talks to it."""

    name = "pulumi"
    needs = ()
    processes = ("pulumi-cloud",)

    def start(self, box: Box) -> None:
        """Lay out the CLI, then start the stand-in."""
        _lay_out(box)
        accounts = credentials(box)
        processes = Processes(box)
        processes.start(
            "pulumi-cloud",
            [
                *(sys.executable, "-m", "sandbox.pulumi_cloud"),
                f"--port={box.port('pulumi-cloud')}",
                f"--state={box.folder('pulumi-cloud')}",
                f"--credentials={accounts}",
            ],
            environment={"PYTHONPATH": str(Path(__file__).parents[1])},
        )
        processes.wait("pulumi-cloud", "Pulumi Cloud answers", lambda: _answers(box), READY_WITHIN)

    def clean(self, box: Box) -> None:
        """Nothing stays behind."""

    def environment(self, box: Box) -> Mapping[str, str]:
        """What the pulumi command needs."""
        return {
            "PULUMI_HOME": str(home(box)),
            "PULUMI_BACKEND_URL": backend(box),
            "PULUMI_ACCESS_TOKEN": token(box, "operator"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PATH": str(command(box).parent),
        }


def backend(box: Box) -> str:
    """The stand-in's address."""
    return f"http://127.0.0.1:{box.port('pulumi-cloud')}"


def home(box: Box) -> Path:
    """The CLI's own folder, with the provider's plugin."""
    return box.folder("pulumi", "home")


def command(box: Box) -> Path:
    """The pulumi command: the user's when asked for, else the one that was built."""
    if box.options.pulumi:
        return Path(box.options.pulumi)
    return box.folder("pulumi", "bin") / "pulumi"


def token(box: Box, account: str) -> str:
    """An account's access token: `slipway`, `operator`, or `viewer`, who may only look."""
    accounts = json.loads(credentials(box).read_text())[SECTION]["accounts"]
    return str(accounts[account]["token"])


def admin_token(box: Box) -> str:
    """What tests show to plant faults and to end a dead update's lease."""
    return str(json.loads(credentials(box).read_text())[SECTION]["admin_token"])


def credentials(box: Box) -> Path:
    """Where the stand-in reads who may call, at every request."""
    path = box.folder("pulumi-cloud") / "credentials.json"
    if not path.exists():
        made = path.with_suffix(f".{os.getpid()}")
        made.touch(mode=0o600)
        made.write_text(json.dumps({SECTION: new_credentials(ORGANIZATION)}, indent=1))
        made.rename(path)
    return path


def _lay_out(box: Box) -> None:
    """CLI and language host as real files in one folder: else the CLI warns about each."""
    if not box.options.pulumi:
        for name in ("pulumi", "pulumi-language-yaml"):
            target = box.folder("pulumi", "bin") / name
            source = toolchain.binary(name)
            if not target.exists() or target.stat().st_size != source.stat().st_size:
                made = target.with_suffix(f".{os.getpid()}")
                shutil.copy2(source, made)
                made.rename(target)
    kubernetes_provider.install(home(box))


def _answers(box: Box) -> bool:
    headers = {"Authorization": f"token {token(box, 'operator')}"}
    try:
        answer = httpx.get(f"{backend(box)}/api/user", headers=headers, timeout=2.0)
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK

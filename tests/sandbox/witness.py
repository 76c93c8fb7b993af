"""skopeo, which shares no code with Slipway, says what the registry really holds."""

import json
import subprocess

from sandbox import image_registry
from sandbox.box import Box
from sandbox.token_issuer.accounts import PUBLISHER


def skopeo(box: Box, command: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command on one image with the account that may do everything."""
    return _run(command, "--tls-verify=false", f"--creds={_who(box)}", *words)


def copy_in_registry(box: Box, source: str, to: str) -> None:
    """Put an image under another name, over whatever is there."""
    ends = [
        word
        for end in ("src", "dest")
        for word in (f"--{end}-tls-verify=false", f"--{end}-creds={_who(box)}")
    ]
    done = _run("copy", *ends, f"docker://{source}", f"docker://{to}")
    assert done.returncode == 0, done.stderr


def digest_in_registry(box: Box, name: str) -> str | None:
    """The digest under `host/path:tag`; None when there is none."""
    done = skopeo(box, "inspect", f"docker://{name}")
    return str(json.loads(done.stdout)["Digest"]) if done.returncode == 0 else None


def delete_from_registry(box: Box, name: str) -> None:
    """Delete an image with every tag of it."""
    done = skopeo(box, "delete", f"docker://{name}")
    assert done.returncode == 0, done.stderr


def _who(box: Box) -> str:
    account = image_registry.accounts(box)[PUBLISHER]
    return f"{account.username}:{account.password}"


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["skopeo", *words],  # noqa: S607 - Debian's skopeo
        capture_output=True,
        text=True,
        check=False,
    )

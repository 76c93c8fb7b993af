"""skopeo, which shares no code with Slipway, says what the registry really holds."""

import json
import subprocess

from sandbox import image_registry
from sandbox.box import Box
from sandbox.token_issuer.accounts import PUBLISHER


def skopeo(box: Box, command: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one of its commands with the account that may do everything."""
    account = image_registry.accounts(box)[PUBLISHER]
    who = f"--creds={account.username}:{account.password}"
    return subprocess.run(
        ["skopeo", command, "--tls-verify=false", who, *words],  # noqa: S607 - Debian's skopeo
        capture_output=True,
        text=True,
        check=False,
    )


def digest_in_registry(box: Box, name: str) -> str | None:
    """The digest under `host/path:tag`; None when there is none."""
    done = skopeo(box, "inspect", f"docker://{name}")
    return str(json.loads(done.stdout)["Digest"]) if done.returncode == 0 else None


def delete_from_registry(box: Box, name: str) -> None:
    """Delete an image with every tag of it."""
    done = skopeo(box, "delete", f"docker://{name}")
    assert done.returncode == 0, done.stderr

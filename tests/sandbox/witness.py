"""skopeo, which shares no code with Slipway, says what the registry really holds."""

import hashlib
import json
import subprocess
from pathlib import Path

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


def is_in_registry(box: Box, name: str) -> bool:
    """Whether there is a manifest of whatever kind under a tag or a digest."""
    return skopeo(box, "inspect", "--raw", f"docker://{name}").returncode == 0


def copy_whole(box: Box, name: str, folder: Path) -> set[str]:
    """Copy an image out of the registry with all that it consists of; its manifests' digests.

    The test fails where anything of it is not there, or is not what its digest says.
    """
    who = ("--src-tls-verify=false", f"--src-creds={_who(box)}")
    folder.mkdir()
    done = _run("copy", "--all", "--preserve-digests", *who, f"docker://{name}", f"dir:{folder}")
    assert done.returncode == 0, done.stderr
    manifests = [each.read_bytes() for each in folder.glob("*manifest.json")]
    return {f"sha256:{hashlib.sha256(each).hexdigest()}" for each in manifests}


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

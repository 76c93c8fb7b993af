"""How git is run: with no configuration but ours, no prompts, and credentials out of sight."""

import base64
import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from slipway.clients.loopback import is_loopback
from slipway.domain.address import holds_credentials, without_credentials
from slipway.domain.redaction import redacted
from slipway.errors import AccessDenied, InvalidInput, SlipwayError, Unreachable

_DENIED = re.compile(
    r"authentication failed|could not read (?:username|password)|permission denied|"
    r"error: 40[13]|access denied|repository not found|invalid credentials",
    re.IGNORECASE,
)
_INHERITED = (
    "PATH",
    "HOME",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
)
"""HOME is ssh's, for known hosts; git's own files in it are not read."""
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",
    "gc.auto": "0",
    "protocol.ext.allow": "never",
    "credential.helper": "",
    "safe.directory": "*",
}


@dataclass(frozen=True, slots=True)
class GitCredentials:
    """User and token for a repository that is read over https."""

    username: str
    token: SecretStr


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository's address, and who reads it."""

    url: str
    """An https or ssh address, or a path; http only on loopback."""
    credentials: GitCredentials | None = None

    def __post_init__(self) -> None:
        if holds_credentials(self.url):
            raise InvalidInput(
                f"the repository's address {without_credentials(self.url)} holds a password or a "
                "token: remove it there, and give user and token as credentials"
            )
        if self._is_plain and not is_loopback(self.url.split("/")[2]):
            raise InvalidInput(
                f"{self.url} would be read over plain http, where anybody on the way can change "
                "it: use https or ssh"
            )

    @property
    def _is_plain(self) -> bool:
        return self.url.startswith("http://")

    def environment(self) -> dict[str, str]:
        """The whole environment for a git command; credentials are in it, never in its words."""
        settings = dict(_SETTINGS)
        if self.credentials is not None:
            pair = f"{self.credentials.username}:{self.credentials.token.get_secret_value()}"
            basic = base64.b64encode(pair.encode()).decode()
            settings[f"http.{_origin(self.url)}.extraHeader"] = f"Authorization: Basic {basic}"
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= {
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "false",
            "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
            "GIT_ALLOW_PROTOCOL": "https:ssh:file" + (":http" if self._is_plain else ""),
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_CONFIG_COUNT": str(len(settings)),
        }
        for number, (key, value) in enumerate(settings.items()):
            environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return environment

    def fetch_error(self, complaint: str) -> SlipwayError:
        """What a fetch's complaint means for whoever could try again."""
        complaint = redacted(complaint)
        if _DENIED.search(complaint):
            return AccessDenied(
                f"{self.url} may not be read: {complaint}; give credentials that may read it"
            )
        return Unreachable(
            f"{self.url} could not be fetched: {complaint}; check the address and the way to it"
        )


@contextlib.contextmanager
def lock_file(path: Path) -> Iterator[int]:
    """An open file to be locked; closing it ends the lock, and so does the process's end."""
    with path.open("w") as lock:
        yield lock.fileno()


def locked(file: int) -> bool:
    """Lock an open file against every other process, if none of them has."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _origin(url: str) -> str:
    found = re.match(r"https?://[^/]+/", url)
    return found.group(0) if found else url

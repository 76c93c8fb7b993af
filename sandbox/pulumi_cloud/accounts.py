"""Who may call: accounts with access tokens, from the sandbox's credentials file.

The file is read again whenever it changes, so accounts come and go under a running server.
Its section `pulumi_cloud` is what `new_credentials` makes.
"""

import hmac
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request

from sandbox.pulumi_cloud.errors import ApiError

SECTION = "pulumi_cloud"
READ_METHODS = {"GET", "HEAD"}
READ_ONLY_POSTS = (
    "/open",
    "/yaml/check",
    "/check",
    "/decrypt",
    "/batch-decrypt",
    "/log-decryption",
)


@dataclass(frozen=True)
class Account:
    """A person or a robot; `role` is `write` or `read`."""

    login: str
    role: str
    organization: str


def new_credentials(organization: str) -> dict[str, Any]:
    """Accounts as a young company has them: a robot, an operator and somebody who may only look."""
    roles = {"slipway": "write", "operator": "write", "viewer": "read"}
    return {
        "organization": organization,
        "admin_token": secrets.token_hex(20),
        "accounts": {
            login: {"token": f"pul-{secrets.token_hex(20)}", "role": role}
            for login, role in roles.items()
        },
    }


class Accounts:
    """The accounts of one organization."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stamp: tuple[int, int] | None = None
        self._section: dict[str, Any] = {}

    def organization(self) -> str:
        """The organization that everything belongs to."""
        return str(self._current()["organization"])

    def authenticate(self, request: Request) -> Account:
        """The account behind `Authorization: token …`."""
        scheme, _, presented = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() in {"token", "bearer"}:
            for login, entry in self._current()["accounts"].items():
                if hmac.compare_digest(presented.encode(), str(entry["token"]).encode()):
                    return Account(login, str(entry["role"]), self.organization())
        raise ApiError(401, "Unauthorized: No credentials provided or are invalid.")

    def authorize(self, request: Request, organization: str) -> Account:
        """The account, if it may do this in this organization."""
        account = self.authenticate(request)
        if organization != account.organization:
            raise ApiError(404, f"Not Found: Organization '{organization}' not found")
        reads = request.method in READ_METHODS or request.url.path.endswith(READ_ONLY_POSTS)
        if account.role != "write" and not reads:
            raise ApiError(
                403, f"Forbidden: '{account.login}' may read but not change anything here"
            )
        return account

    def authorize_admin(self, request: Request) -> None:
        """Only the sandbox itself passes: tests that inject faults."""
        scheme, _, presented = request.headers.get("authorization", "").partition(" ")
        expected = str(self._current()["admin_token"])
        if scheme.lower() != "token" or not hmac.compare_digest(
            presented.encode(), expected.encode()
        ):
            raise ApiError(401, "Unauthorized: the admin token of the credentials file is needed")

    def _current(self) -> dict[str, Any]:
        """The file's section as it is now."""
        status = self._file.stat()
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            self._section = json.loads(self._file.read_text())[SECTION]
            self._stamp = stamp
        return self._section

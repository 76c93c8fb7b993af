"""The registry's accounts, in a file that is read at every request: a change counts at once."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

ACCOUNTS_FILE = "accounts.json"

PUBLISHER = "publisher"
"""May push, pull and delete: whoever builds images."""
PULLER = "puller"
"""May pull: the account of the cluster's pull secret."""
READER = "reader"
"""May pull: for tests of a builder whose account may not push."""

_RIGHTS = {
    PUBLISHER: ("pull", "push", "delete"),
    PULLER: ("pull",),
    READER: ("pull",),
}


@dataclass(frozen=True, slots=True)
class Account:
    """Who, with which password, may do what on every repository."""

    username: str
    password: str
    actions: tuple[str, ...]
    revoked: bool = False


def make_accounts(folder: Path, password: Callable[[str], str]) -> dict[str, Account]:
    """Write accounts with these passwords, unless they are there; what there is."""
    if not (folder / ACCOUNTS_FILE).exists():
        write_accounts(
            folder,
            {name: Account(name, password(name), may) for name, may in _RIGHTS.items()},
        )
    return read_accounts(folder)


def read_accounts(folder: Path) -> dict[str, Account]:
    """Every account by its name."""
    listed = json.loads((folder / ACCOUNTS_FILE).read_text())
    return {
        each["username"]: Account(**{**each, "actions": tuple(each["actions"])}) for each in listed
    }


def write_accounts(folder: Path, accounts: dict[str, Account]) -> None:
    """Replace the file in one step, readable by its owner only."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".{ACCOUNTS_FILE}.{os.getpid()}"
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps([asdict(each) for each in accounts.values()], indent=1) + "\n")
    fresh.replace(folder / ACCOUNTS_FILE)


def revoke(folder: Path, username: str, *, revoked: bool = True) -> None:
    """Reject an account from now on (or, with `revoked=False`, accept it again).

    A token that was issued before stays good until it runs out, as at GHCR.
    """
    accounts = read_accounts(folder)
    accounts[username] = replace(accounts[username], revoked=revoked)
    write_accounts(folder, accounts)


@contextmanager
def revoked(folder: Path, username: str) -> Iterator[None]:
    """An account is rejected as long as the context lasts."""
    revoke(folder, username)
    try:
        yield
    finally:
        revoke(folder, username, revoked=False)

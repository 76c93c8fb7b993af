"""The payload of a push, from the repository that was pushed to."""

import subprocess
from pathlib import Path
from typing import Any

NOWHERE = "0" * 40
MOST_COMMITS = 2048
FULL_NAME = "example/shop"
FIELD, RECORD = "\x1f", "\x1e"
_CHANGES = {"A": "added", "D": "removed"}


def payload(repository: Path, before: str, after: str, ref: str) -> dict[str, Any]:
    """What GitHub would send about a ref that moved."""
    commits = [] if after == NOWHERE else _commits(repository, before, after)
    pushed = NOWHERE not in {before, after}
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "created": before == NOWHERE,
        "deleted": after == NOWHERE,
        "forced": pushed and not _is_ancestor(repository, before, after),
        "base_ref": None,
        "compare": f"https://github.com/{FULL_NAME}/compare/{before[:12]}...{after[:12]}",
        "commits": commits[-MOST_COMMITS:],
        "head_commit": commits[-1] if commits else None,
        "repository": {
            "name": FULL_NAME.partition("/")[2],
            "full_name": FULL_NAME,
            "default_branch": "main",
            "private": True,
            "fork": False,
        },
        "pusher": {"name": "ada", "email": "ada@example.invalid"},
        "sender": {"login": "ada"},
    }


def knows(repository: Path, commit: str) -> bool:
    """Whether the repository has the commit."""
    words = ["git", "cat-file", "-e", f"{commit}^{{commit}}"]
    return subprocess.run(words, cwd=repository, check=False, capture_output=True).returncode == 0


def _commits(repository: Path, before: str, after: str) -> list[dict[str, Any]]:
    """The commits that the push brought, oldest first."""
    span = [after] if before == NOWHERE else [f"{before}..{after}"]
    layout = f"--format={RECORD}%H{FIELD}%B{FIELD}%cI{FIELD}"
    listed = _git(repository, "log", "--reverse", "--name-status", "--no-renames", layout, *span)
    return [_commit(each) for each in listed.split(RECORD)[1:]]


def _commit(record: str) -> dict[str, Any]:
    sha, message, at, changes = record.split(FIELD)
    commit: dict[str, Any] = {"id": sha, "message": message.strip(), "timestamp": at}
    commit |= {kind: [] for kind in ("added", "removed", "modified")}
    for line in changes.strip().splitlines():
        status, _, path = line.partition("\t")
        commit[_CHANGES.get(status, "modified")].append(path)
    return commit


def _is_ancestor(repository: Path, older: str, newer: str) -> bool:
    words = ["git", "merge-base", "--is-ancestor", older, newer]
    return subprocess.run(words, cwd=repository, check=False).returncode == 0


def _git(repository: Path, *words: str) -> str:
    argv = ["git", *words]
    done = subprocess.run(argv, cwd=repository, check=True, capture_output=True, text=True)
    return done.stdout

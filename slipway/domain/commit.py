"""A commit is 40 lower-case hex characters; anything shorter is resolved in git or refused."""

import re
from dataclasses import dataclass

from slipway.errors import InvalidInput

SHORTEST_PREFIX = 7
FULL_LENGTH = 40
_HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True, order=True)
class Commit:
    """The full name of a git commit."""

    sha: str

    def __post_init__(self) -> None:
        if len(self.sha) != FULL_LENGTH or not _HEX.fullmatch(self.sha):
            raise InvalidInput(f"{self.sha!r} is not a full commit: give 40 characters 0-9 a-f")

    def __str__(self) -> str:
        return self.sha

    @property
    def short(self) -> str:
        """Seven characters, for people; never an identity."""
        return self.sha[:SHORTEST_PREFIX]


@dataclass(frozen=True, slots=True)
class CommitPrefix:
    """An abbreviation of 7 to 39 characters, which git may resolve to one commit or none."""

    text: str

    def __str__(self) -> str:
        return self.text


def parse_commit(text: str) -> Commit | CommitPrefix:
    """Read what a person typed; a branch, a tag or an upper-case hash is refused by name."""
    seen = f"{text[:60]!r} ({len(text)} characters)"
    if not text:
        raise InvalidInput("no commit was given: give 7 to 40 characters of its hash")
    if not _HEX.fullmatch(text):
        if _HEX.fullmatch(text.lower()):
            raise InvalidInput(
                f"{seen} is not a commit: hashes are lower case; try {text.lower()[:60]}"
            )
        raise InvalidInput(
            f"{seen} is not a commit but perhaps a branch or tag, which can move: "
            "give the hash that `git rev-parse` prints for it"
        )
    if len(text) == FULL_LENGTH:
        return Commit(text)
    if not SHORTEST_PREFIX <= len(text) < FULL_LENGTH:
        raise InvalidInput(f"{seen} is not a commit: give at least 7 of a hash's 40 characters")
    return CommitPrefix(text)

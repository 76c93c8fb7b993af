"""The Pulumi program that an update runs: from git, never from somebody's work tree."""

import contextlib
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from slipway.domain.commit import Commit
from slipway.domain.journal import Anchor, Head
from slipway.domain.release import Release
from slipway.ports import Ports, ProgramRevision, SourceRepository, StackState, StackUpdate
from slipway.tasks.policies import repeatable

log = logging.getLogger(__name__)

_PROGRAM = re.compile(r"\bprogram=([0-9a-f]{40})\b")
_ESC = re.compile(r"\besc=([0-9]+)\b")
_RELEASE = re.compile(r"\brelease=([0-9A-Za-z-]+)\b")
_LEDGER = re.compile(r"\bledger=([0-9a-f]+)\b")
_JOURNAL = re.compile(r"\bjournal=([0-9]+:[0-9a-f]{64})\b")
SHORT_NAME = 8
"""Characters of the ledger's name that a message bears: enough to tell two ledgers apart."""


@dataclass(frozen=True, slots=True)
class Program:
    """A checkout of the repository at the commit whose program is to be run."""

    tree: Path
    commit: Commit


def update_message(release: Release, verb: str, ledger: str, program: ProgramRevision) -> str:
    """What an update of ours says about itself in the stack's history; read back by the below."""
    commit = release.commit.short if release.commit else "-"
    return (
        f"slipway {verb} {commit} at {release.target} release={release.id} fence={release.fence} "
        f"program={program.commit} esc={program.config_revision} ledger={ledger[:SHORT_NAME]} "
        f"journal={release.journal}"
    )


def program_of(update: StackUpdate | None) -> Commit | None:
    """The commit whose program an update ran: from our message, else as the CLI recorded it."""
    if update is None:
        return None
    found = _PROGRAM.search(update.message)
    sha = found.group(1) if found else update.program
    return Commit(sha) if re.fullmatch("[0-9a-f]{40}", sha) else None


def config_revision_of(update: StackUpdate | None) -> int | None:
    """The ESC revision that an update of ours was pinned to."""
    found = _ESC.search(update.message) if update else None
    return int(found.group(1)) if found else None


def anchor_of(update: StackUpdate, ledger: str, stack: str) -> Anchor | None:
    """Where a journal stood when its release made this update; None for any other update."""
    release, head = _RELEASE.search(update.message), _JOURNAL.search(update.message)
    whose = _LEDGER.search(update.message)
    if release is None or head is None or whose is None or not ledger.startswith(whose.group(1)):
        return None
    where = f"update {update.version} of stack {stack}"
    return Anchor(release.group(1), Head.parse(head.group(1)), where)


def is_of(update: StackUpdate | None, release: Release) -> bool:
    """Whether an update was made for this release."""
    found = _RELEASE.search(update.message) if update else None
    return found is not None and found.group(1) == release.id


async def program_applied(source: SourceRepository, state: StackState) -> Commit | None:
    """The commit whose program was applied last; None if nobody recorded it.

    None, too, if it is in no history that we have: pushed by nobody, or pushed away since.
    """
    last = program_of(state.last_update)
    return last if last is not None and await source.is_ancestor(last, last) else None


@repeatable("choose the program")
async def choose_program(ports: Ports, commit: Commit, *, image_only: bool) -> Commit:
    """The deployed commit's program, unless the one last applied is newer.

    `image_only` (a rollback) keeps the last applied one: going back with an image is not going
    back with the program.
    """
    last = await program_applied(ports.source, await ports.stack.state())
    if last is None:
        return await ports.source.head(ports.target.branch) if image_only else commit
    if image_only or await ports.source.is_ancestor(commit, last):
        return last
    return commit


@contextlib.asynccontextmanager
async def open_program(ports: Ports, commit: Commit) -> AsyncIterator[Program]:
    """A prepared checkout of the program, gone when the context ends."""
    async with ports.source.checkout(commit) as tree:
        await ports.stack.prepare(tree)
        yield Program(tree, commit)

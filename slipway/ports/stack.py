"""Pulumi: the stack, what it believes, and how it is updated."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from slipway.domain.change import Preview
from slipway.domain.commit import Commit
from slipway.domain.process import ProcessIdentity
from slipway.domain.target import ConfigKey

IN_PROGRESS = "in-progress"
"""The result of an update that has none yet."""


@dataclass(frozen=True, slots=True)
class StackUpdate:
    """One update in a stack's history."""

    version: int
    kind: str
    """`update`, `refresh`, `destroy`, …"""
    result: str
    """`succeeded`, `failed`, `in-progress`."""
    message: str
    program: str = ""
    """The git commit that the CLI recorded, if it did."""


@dataclass(frozen=True, slots=True)
class RecordedDeployment:
    """A Deployment as the stack's state has it."""

    urn: str
    namespace: str
    name: str
    images: Mapping[str, str]
    """Container name → image of the recorded inputs."""
    init_errors: tuple[str, ...] = ()
    sets_replicas: bool = True
    """Whether the recorded inputs set the number of pods: else an update leaves it as it is."""


@dataclass(frozen=True, slots=True)
class StackState:
    """What Pulumi believes."""

    last_update: StackUpdate | None
    busy: bool
    """Whether an update holds the stack now."""
    deployments: tuple[RecordedDeployment, ...] = ()
    pending_operations: int = 0

    def deployment(self, namespace: str, name: str) -> RecordedDeployment | None:
        """The Deployment of this name, if the stack has it."""
        for each in self.deployments:
            if (each.namespace, each.name) == (namespace, name):
                return each
        return None


@dataclass(frozen=True, slots=True)
class ProgramRevision:
    """A program and the ESC revision it reads.

    `tree` is a checkout, prepared. `value` stands in for the key without being written anywhere
    (a preview's temporary stack file); None takes what the revision holds. `only` narrows the
    update to one URN.
    """

    tree: Path
    commit: Commit
    config_revision: int
    value: str | None = None
    only: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """How one `pulumi up` ended; `why` is the engine's own error when it did not succeed."""

    succeeded: bool
    preview: Preview
    """The real update's events, in the form the guard reads."""
    version: int | None
    why: str = ""


Started = Callable[[ProcessIdentity], None]
"""Is told which process has been started; returns at once, and never raises."""


def unheard(process: ProcessIdentity) -> None:
    """Nobody wants to know the process."""
    del process


class Stack(Protocol):
    """The Pulumi stack."""

    async def check(self) -> None:
        """`StackUnusable` or `AccessDenied` unless CLI and account can do what a release needs."""

    async def state(self) -> StackState:
        """What Pulumi believes now."""

    async def history(self, limit: int) -> Sequence[StackUpdate]:
        """The stack's newest updates, newest first."""

    async def ledger(self) -> str:
        """The name of the ledger whose stack this is; empty when the stack names none."""

    async def claim(self, ledger: str, instead_of: str = "") -> str:
        """Let the stack name a ledger where it names none, or `instead_of`; what it names then.

        May be done again. Of two who claim a stack that names none, one is told of the other.
        """

    async def shadow(self, tree: Path, key: ConfigKey) -> str | None:
        """The value that the checkout's stack file sets for the key, None if it sets none.

        `StackUnusable` when the program or its stack file is absent, or the stack file does not
        import the key's environment.
        """

    async def mentions(self, tree: Path, key: ConfigKey) -> bool:
        """Whether any file of the checkout names the key, stack files and prose left out."""

    async def prepare(self, tree: Path) -> None:
        """Run the target's prepare command in the checkout, without credentials, if it has one."""

    async def preview(self, program: ProgramRevision) -> Preview:
        """What an update would change; `PreviewFailed` with the engine's error. Changes nothing."""

    async def up(
        self,
        program: ProgramRevision,
        message: str,
        stop: asyncio.Event,
        started: Started = unheard,
    ) -> Applied:
        """Apply, pinned to the ESC revision; `started` is told the process that does it.

        When `stop` is set, the task is cancelled, or the deadline passes, the update gets one
        SIGINT and its end is awaited; only then does this return or raise. `StackBusy` when another
        update holds the stack (nothing was applied). Never runs twice at once.
        """

    async def refresh(
        self, program: ProgramRevision, message: str, started: Started = unheard
    ) -> None:
        """Read `program.only` back from the cluster into the stack's state; changes no cluster."""

    async def cancel(self, message: str) -> bool:
        """Let go of the stack for the update that bears this message, if it holds it.

        Only for one whose process is proven to have ended: one that is alive would go on in the
        cluster, and could not write down what it does. May be done again.
        """

"""Reads what is used of a payload, and nothing else."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder

from slipway.domain.commit import Commit
from slipway.domain.delivery import WORKFLOW_RUN

NOWHERE = "0" * 40
"""What stands for the commit before a branch was made, and after it was deleted."""
BRANCHES = "refs/heads/"

# Python's `$` would let a line end pass.
_Sha = Annotated[str, Meta(pattern=r"^[0-9a-f]{40}\Z")]
_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+\Z", max_length=200)]
_Login = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.\[\]-]+\Z", max_length=100)]
# No control characters: PostgreSQL keeps no NUL in a text.
_Ref = Annotated[str, Meta(pattern=r"^refs/[^\x00-\x20\x7f]+\Z", max_length=500)]
_Word = Annotated[str, Meta(pattern=r"^[a-z_]+\Z", max_length=100)]
_Branch = Annotated[str, Meta(pattern=r"^[^\x00-\x20\x7f]+\Z", max_length=500)]
_Path = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]*\Z", max_length=500)]


class _Repository(Struct, frozen=True):
    full_name: _Name


class _Account(Struct, frozen=True):
    login: _Login


class Payload(Struct, frozen=True, kw_only=True):
    """What every event has that is used here."""

    repository: _Repository | None = None
    sender: _Account | None = None

    @property
    def repository_name(self) -> str:
        """`owner/name`, empty for an event of no repository."""
        return self.repository.full_name if self.repository else ""

    @property
    def sender_name(self) -> str:
        """Who caused the event; empty when GitHub does not say."""
        return self.sender.login if self.sender else ""


class PushPayload(Payload, frozen=True, kw_only=True):
    """What is used of a push. Its list of files is not: it is capped, and lost with a delivery."""

    repository: _Repository
    ref: _Ref
    before: _Sha
    after: _Sha

    @property
    def branch(self) -> str | None:
        """The branch that moved; None for a tag."""
        return self.ref.removeprefix(BRANCHES) if self.ref.startswith(BRANCHES) else None

    @property
    def is_deletion(self) -> bool:
        """Whether the branch is gone."""
        return self.after == NOWHERE

    @property
    def commit_before(self) -> Commit | None:
        """Where the branch was; None when the push made it."""
        return None if self.before == NOWHERE else Commit(self.before)


class _WorkflowRun(Struct, frozen=True, kw_only=True):
    # Absent, or null, where GitHub has nothing to tell: no branch for a tag, no end yet.
    event: _Word
    head_sha: _Sha
    conclusion: _Word | None = None
    head_branch: _Branch | None = None
    head_repository: _Repository | None = None
    path: _Path | None = None


class WorkflowRunPayload(Payload, frozen=True, kw_only=True):
    """What is used of a run of a GitHub workflow."""

    repository: _Repository
    action: _Word
    workflow_run: _WorkflowRun

    @property
    def workflow(self) -> str:
        """The workflow's path in the repository, without the ref that may stand behind it."""
        return (self.workflow_run.path or "").partition("@")[0]

    @property
    def is_of_a_fork(self) -> bool:
        """Whether the commit is another repository's, or nobody says whose."""
        whose = self.workflow_run.head_repository
        return whose is None or whose.full_name.lower() != self.repository.full_name.lower()


_OTHER: Decoder[Payload] = Decoder(Payload)
_KINDS: Mapping[str, Decoder[PushPayload] | Decoder[WorkflowRunPayload]] = {
    "push": Decoder(PushPayload),
    WORKFLOW_RUN: Decoder(WorkflowRunPayload),
}


class Unreadable(ValueError):
    """The body is no payload of this event; the text says where it is not."""


def read(event: str, body: bytes) -> Payload:
    """Read the payload of an event, or raise `Unreadable`."""
    try:
        return _KINDS.get(event, _OTHER).decode(body)
    except (DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Unreadable(str(error)[:300]) from None

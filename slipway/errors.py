"""Every error of Slipway's own, drawn; its `code` is the first word of a release's reason.

SlipwayError
├── TransientError              trying again may help
│   ├── Unreachable             a system did not answer, or answered that it is overloaded
│   ├── ReleaseChanged          a release has gone on since it was read
│   ├── StackBusy               another update of the stack is under way
│   └── Unproven                what runs could not be measured before the deadline
│       └── StillRunning        an update of ours did not end when it was asked to
└── PermanentError              trying again cannot help until somebody changes something
    ├── InvalidInput            a value that a person or a file gave can't be used
    ├── AccessDenied            credentials missing, rejected, or not enough
    ├── UnknownCommit           no such commit in the repository
    ├── AmbiguousCommit         an abbreviation that fits more than one commit
    ├── NotOnMainLine           the commit is not in the first-parent history of the target's branch
    ├── FolderAbsent            the service's folder does not exist at the commit
    ├── BackwardsDeploy         the commit is an ancestor of what is live
    ├── Superseded              another release at the target makes this one pointless
    ├── Held                    automation is paused at the target
    ├── ReasonMissing           a person must say why, and has not
    ├── Vetoed                  the commit must not be deployed to the target
    ├── BuildFailed             the image's build ended with an error
    ├── PushFailed              the registry does not hold what was pushed
    ├── TagConflict             the commit's tag already belongs to another image
    ├── ImageMissing            the registry has no such image
    ├── PlatformMissing         the image has nothing for the nodes' platform
    ├── ConfigKeyUnusable       the ESC key is missing, secret, interpolated, inherited or shadowed
    ├── ConfigConflict          the ESC environment changed since it was read
    ├── ConfigRejected          ESC refuses the definition
    ├── ConfigMismatch          what ESC reads back is not what was written, or it can't be read
    ├── StackUnusable           stack, program or CLI can't be used as the target asks
    ├── PreviewFailed           `pulumi preview` ended with an error or without its summary
    ├── ChangeNotAllowed        the preview changes more than the image
    ├── ApplyFailed             `pulumi up` ended with an error
    ├── DeploymentUnfit         the Deployment is absent, ambiguous, paused, mixed or not ours
    ├── PullSecretUnusable      the pod template's pull secret can't pull the image
    ├── ImageDisproven          the image does not run as it must
    │   └── ImageNotStarted     its pods can't be pulled or placed: it had no chance to run
    ├── NothingToRollBackTo     no release qualifies as a way back
    ├── LeaseLost               somebody else may change the stack now
    ├── AnotherLedger           the stack belongs to another ledger
    ├── AlreadyLive             a rollback to what runs already
    ├── ProgramMissing          git, pulumi or a target's own command is not installed
    ├── RegistryUnusable        what answers is no OCI registry, or breaks its protocol
    ├── LedgerUnusable          the ledger's database can't be read or written by this program
    ├── Interrupted             the run was cancelled, or its process ended
    ├── InvalidTransition       a release was asked to go where its state does not lead: our defect
    └── PreflightFailed         several of the above at once, found before anything was changed
"""

import re
from typing import ClassVar

_CLAUSES = re.compile(r"[:;] |\. ")


class SlipwayError(Exception):
    """What was tried, on which object, what was seen and what to do next, in one message."""

    code: ClassVar[str] = "error"

    @property
    def next_step(self) -> str:
        """What to do next, which the message says last."""
        return _CLAUSES.split(str(self))[-1]


class TransientError(SlipwayError):
    """Trying the same thing again may help."""

    code = "unreachable"


class Unreachable(TransientError):
    """A system did not answer, or answered that it is overloaded."""


class ReleaseChanged(TransientError):
    """A release has gone on since it was read: nothing was saved, it is to be read again."""

    code = "release-changed"


class StackBusy(TransientError):
    """Another update of the stack is under way; nothing of ours was applied."""

    code = "stack-busy"


class Unproven(TransientError):
    """What runs could not be measured before the deadline: neither good nor bad."""

    code = "unproven"


class StillRunning(Unproven):
    """An update of ours was asked to end and did not: nothing else may touch the stack yet."""

    code = "still-running"


class PermanentError(SlipwayError):
    """Trying the same thing again cannot help until somebody changes something."""


class InvalidInput(PermanentError):
    """A value that a person or a file gave can't be used."""

    code = "invalid-input"


class AccessDenied(PermanentError):
    """Credentials are missing, rejected, or not enough for what was asked."""

    code = "access-denied"


class UnknownCommit(PermanentError):
    """No such commit in the repository."""

    code = "unknown-commit"


class AmbiguousCommit(PermanentError):
    """An abbreviation that fits more than one commit."""

    code = "ambiguous-commit"


class NotOnMainLine(PermanentError):
    """The commit is not in the first-parent history of the target's branch."""

    code = "not-on-main-line"


class FolderAbsent(PermanentError):
    """The service's folder does not exist at the commit."""

    code = "folder-absent"


class BackwardsDeploy(PermanentError):
    """The commit is an ancestor of what is live: going back is a rollback."""

    code = "older-than-live"


class Superseded(PermanentError):
    """Another release at the target makes this one pointless; no failure."""

    code = "superseded"


class Held(PermanentError):
    """Automation is paused at the target."""

    code = "held"


class ReasonMissing(PermanentError):
    """A person may do it, but only with a reason for those who read the history."""

    code = "reason-missing"


class Vetoed(PermanentError):
    """The commit must not be deployed to the target, unless a person says why it may."""

    code = "vetoed"


class BuildFailed(PermanentError):
    """The image's build ended with an error; its log is in the run."""

    code = "build-failed"


class PushFailed(PermanentError):
    """The registry does not hold what was pushed."""

    code = "push-failed"


class TagConflict(PermanentError):
    """The commit's tag already belongs to another image; a tag is never overwritten."""

    code = "tag-conflict"


class ImageMissing(PermanentError):
    """The registry has no such image."""

    code = "image-missing"


class PlatformMissing(PermanentError):
    """The image has nothing for the nodes' platform."""

    code = "platform-missing"


class ConfigKeyUnusable(PermanentError):
    """The ESC key is missing, empty, secret, interpolated, aliased, inherited or shadowed."""

    code = "config-key-unusable"


class ConfigConflict(PermanentError):
    """The ESC environment changed since it was read; nothing was written."""

    code = "config-changed"


class ConfigRejected(PermanentError):
    """ESC refuses the definition; nothing was written."""

    code = "config-rejected"


class ConfigMismatch(PermanentError):
    """What was written to ESC reads back differently, or can't be read back."""

    code = "config-mismatch"


class StackUnusable(PermanentError):
    """Stack, program or CLI can't be used as the target asks."""

    code = "stack-unusable"

    def __init__(self, message: str, *, lacks_import: bool = False) -> None:
        """`lacks_import`: the stack file does not import the environment that has the key."""
        super().__init__(message)
        self.lacks_import = lacks_import


class PreviewFailed(PermanentError):
    """`pulumi preview` ended with an error, or without its summary."""

    code = "preview-failed"


class ChangeNotAllowed(PermanentError):
    """The preview changes more than the image; nothing was written."""

    code = "not-image-only"


class ApplyFailed(PermanentError):
    """`pulumi up` ended with an error."""

    code = "apply-failed"


class DeploymentUnfit(PermanentError):
    """The Deployment is absent, ambiguous, paused, mixed, or fields of it belong to others."""

    code = "deployment-unfit"


class PullSecretUnusable(PermanentError):
    """The pull secret that the pod template names can't pull the image."""

    code = "pull-secret-unusable"


class ImageDisproven(PermanentError):
    """The image does not run as it must: measured, not guessed."""

    code = "disproven"


class ImageNotStarted(ImageDisproven):
    """No pod of it was asked for, pulled or placed: measured, but it says nothing of the image."""

    code = "not-started"


class NothingToRollBackTo(PermanentError):
    """No release qualifies as a way back."""

    code = "no-candidate"


class LeaseLost(PermanentError):
    """Somebody else may change the stack now; this release must not."""

    code = "lease-lost"


class AnotherLedger(PermanentError):
    """The stack belongs to another ledger: what that one knows of it, this one does not."""

    code = "another-ledger"


class AlreadyLive(PermanentError):
    """A rollback was asked to go where the target is already."""

    code = "already-live"


class ProgramMissing(PermanentError):
    """A program that is needed (git, pulumi, what a target prepares with) can't be started."""

    code = "program-missing"


class RegistryUnusable(PermanentError):
    """What answers is no OCI registry, or breaks the protocol of one."""

    code = "registry-unusable"


class LedgerUnusable(PermanentError):
    """The ledger's database can't be read or written by this program."""

    code = "ledger-unusable"


class PreflightFailed(PermanentError):
    """Something that a release needs is not in order; nothing was changed."""

    code = "preflight-failed"


class Interrupted(PermanentError):
    """Somebody cancelled the run, or its process was asked to end."""

    code = "cancelled"


class InvalidTransition(PermanentError):
    """A release was asked to go where its state does not lead: a defect of ours."""

    code = "invalid-transition"

"""The joined picture of one target: what each place says, or why that is unknown.

A place that does not answer is `Unknown`, which is something else than a place where nothing is. A
place that a release is changing right now is `Moving`: what it says is of no one moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from slipway.domain.agreement import Unknown
from slipway.domain.commit import Commit
from slipway.domain.config import ConfigRevision, ConfigSnapshot
from slipway.domain.finding import Finding
from slipway.domain.hold import Hold
from slipway.domain.image import Digest, ImageReference, PublishedImage
from slipway.domain.release import Release
from slipway.domain.retention import Plan
from slipway.domain.scheduling import Node
from slipway.domain.signature import SignedPayload
from slipway.domain.target import CommitInfo, ConfigKey, Target
from slipway.domain.workloads import Workloads
from slipway.errors import InvalidInput

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Moving(Unknown):
    """A place that was looked at while a release was changing it: no trouble, and no evidence."""


@dataclass(frozen=True, slots=True)
class NotAsked(Unknown):
    """What only another kind of audit looks at: its rules say nothing, and nobody misses them."""


class NotKnown(Exception):
    """A rule needs a part of the picture that is unknown: it says nothing then."""


def known(part: T | Unknown) -> T:
    """The part, or `NotKnown`."""
    if isinstance(part, Unknown):
        raise NotKnown(part.why)
    return part


def reference_of(text: str | None) -> ImageReference | None:
    """The image that a text names; None where it names none, as an edited ESC value may."""
    try:
        return ImageReference.parse(text) if text else None
    except InvalidInput:
        return None


@dataclass(frozen=True, slots=True)
class Pull:
    """What came of pulling the pod template's image as a node would, with one pull secret."""

    secret: str
    """Its name; empty for nobody's credentials, where the template names no secret."""
    problem: str = ""
    """Why it can't pull; empty when it can."""
    missing: str = ""
    """What of the image is not there, although the credentials are good."""
    rejected: bool = False
    """Whether the registry was asked, and does not take the credentials."""
    unreadable: bool = False
    """Whether there is such a secret, in which no credentials can be read."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What Pulumi believes of the target's Deployment."""

    image: str | None
    version: int = 0
    pending_operations: int = 0
    sets_replicas: bool = True
    """Whether the program sets them; so it is taken where nothing is recorded."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the registry holds of the target's repository.

    `images` answers for every reference that was looked up, None where there is none; `tags` tells
    the digest of every tag that was looked up.
    """

    images: Mapping[str, PublishedImage | None] = field(default_factory=dict)
    tags: Mapping[str, Digest | None] = field(default_factory=dict)
    main: PublishedImage | None = None
    """What the tag that follows what is live names: its label tells of which commit it is."""
    signatures: Mapping[str, Sequence[SignedPayload]] = field(default_factory=dict)
    """What is signed of images that were looked up, where the target has a key."""

    def image(self, reference: str) -> PublishedImage | None:
        """What is held under a reference; `NotKnown` for one that was not looked up."""
        if reference not in self.images:
            raise NotKnown(f"{reference} was not looked up")
        return self.images[reference]

    def signed(self, reference: str) -> Sequence[SignedPayload]:
        """What is signed of an image; `NotKnown` for one whose signatures were not looked up."""
        if reference not in self.signatures:
            raise NotKnown(f"the signatures of {reference} were not looked up")
        return self.signatures[reference]


@dataclass(frozen=True, slots=True)
class Lineage:
    """What git knows of the commit from which what is deployed was built."""

    head: CommitInfo
    deployed: CommitInfo | None = None
    """By the tag that the template names, else by the label of the image that runs.

    None where nothing tells it, or where no image of the target's is deployed.
    """
    pending: Sequence[CommitInfo] = ()
    """Newer commits of the main line that change what a build can see, newest first."""
    last_change: CommitInfo | None = None
    """The last commit, up to the deployed one, that changed what its build could see."""
    same_inputs: frozenset[tuple[Commit, Commit]] = frozenset()
    """Pairs of tag's and label's commit that have the same build inputs."""
    main_is_newer: bool = False
    """Whether the label of `:main` names a commit that descends from the newest live deploy's."""
    untold: str = ""
    """Why nothing tells the deployed commit, although an image of the target's is named."""


@dataclass(frozen=True, slots=True)
class Program:
    """What the Pulumi program of the branch's head makes of the ESC key."""

    stack_file: str
    shadow: str | None = None
    """The value that the stack file sets for the key, over ESC."""
    mentions_key: bool = True
    """Whether any file of the program names the key."""
    problem: str = ""
    """Why stack or program can't read the environment at all."""
    lacks_import: bool = False
    """Whether that is because the stack file does not import it."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the ledger remembers of the target and its stack."""

    history: Sequence[Release] = ()
    interrupted: Sequence[Release] = ()
    """Releases at this target that stand open although nobody works on them."""
    holds: Sequence[Hold] = ()
    published: Mapping[str, Digest] = field(default_factory=dict)
    """Tag → digest, as it was when it was published."""
    ways_back: Sequence[ImageReference] = ()
    """The images a rollback to `previous` would take, best first."""
    vetoed: frozenset[Commit] = frozenset()
    """Commits that must not be deployed here."""
    standing: Sequence[Finding] = ()
    """What earlier audits have found that stood when this look began."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One target, from every side, at one moment."""

    target: Target
    at: datetime
    git: Lineage | Unknown
    registry: Holdings | Unknown
    config: ConfigSnapshot | Unknown
    program: Program | Unknown
    stack: Applied | Unknown
    cluster: Workloads | Unknown | None
    nodes: Sequence[Node] | Unknown
    """Those that the Deployment's pods may come to."""
    pulls: Sequence[Pull] | Unknown
    ledger: Memory | Unknown
    prunable: Plan | Unknown | None = None
    """What could be deleted from the repository; None where another target's picture has it."""
    set_in: ConfigRevision | None = None
    """The revision that gave the ESC key its value, where Pulumi has applied another; None where
    that can't be told."""
    unread: Mapping[ConfigKey, str] | Unknown | None = None
    """Keys of the ESC environment that are no target's, and that nothing reads → the image that
    each names; None where another target's picture has them."""

    @property
    def standing(self) -> Sequence[Finding]:
        """What stood when this look began; nothing where the ledger can't tell."""
        return () if isinstance(self.ledger, Unknown) else self.ledger.standing

    @property
    def parts(self) -> Mapping[str, object]:
        """Every part of a release by the name people know it by."""
        return {
            "git": self.git,
            "the registry": self.registry,
            "ESC": self.config,
            "the Pulumi program": self.program,
            "the Pulumi stack": self.stack,
            "the Deployment": self.cluster,
            "the nodes": self.nodes,
            "the pull secrets": self.pulls,
            "the ledger": self.ledger,
        }

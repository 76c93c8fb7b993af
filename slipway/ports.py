"""What the steps of a release need from the systems outside.

A port speaks domain values and raises only `slipway.errors`: `Unreachable` when trying again may
help, a `PermanentError` when it may not. Waiting uses the running event loop's clock
(`asyncio.sleep`, `loop.time()`), which a simulation replaces as a whole.

Every port is bound to one target's surroundings when it is built (`blocks/`): one ESC environment,
one stack, one cluster, one repository.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from slipway.domain.change import Preview
from slipway.domain.commit import Commit, CommitPrefix
from slipway.domain.config import ConfigRevision, ConfigSnapshot
from slipway.domain.delivery import (
    Delivery,
    Ending,
    Push,
    Receipt,
    ReceivedDelivery,
    StartedRun,
    WaitingDelivery,
)
from slipway.domain.hold import Hold, NewHold, NewVeto, Veto
from slipway.domain.image import Digest, ImageReference, PublishedImage
from slipway.domain.journal import Chain, JournalEntry, Note
from slipway.domain.process import ProcessIdentity
from slipway.domain.release import Release, Request
from slipway.domain.rollout import Workloads
from slipway.domain.takeover import Takeover
from slipway.domain.target import CommitInfo, ConfigKey, Service, Target, Workload
from slipway.domain.undelivered import Attempt
from slipway.domain.waiting import Waiter
from slipway.domain.write_back import CommitStatus, DeploymentStatus


class SourceRepository(Protocol):
    """The git repository of services and program, through a mirror of our own."""

    async def fetch(self) -> None:
        """Bring the mirror up to date with its remote."""

    async def resolve(self, wanted: Commit | CommitPrefix) -> Commit:
        """The one commit meant, or `UnknownCommit` / `AmbiguousCommit` naming what there is."""

    async def head(self, branch: str) -> Commit:
        """The branch's newest commit; `UnknownCommit` when there is no such branch."""

    async def on_main_line(self, commit: Commit, branch: str) -> bool:
        """Whether the commit is in the first-parent history of the branch."""

    async def behind(self, commits: Sequence[Commit], branch: str) -> Mapping[Commit, int]:
        """How many commits of the branch's first-parent history are newer than each that is in it.

        What is not in it is left out; without the branch that is everything.
        """

    async def changed_files(self, older: Commit, newer: Commit) -> Sequence[str]:
        """The paths of the files that differ between two commits, sorted; a rename is two."""

    async def is_ancestor(self, older: Commit, newer: Commit) -> bool:
        """Whether `newer` descends from `older`, or is it. False if either is unknown."""

    async def has_folder(self, commit: Commit, folder: str) -> bool:
        """Whether the folder exists at the commit."""

    async def describe(self, commit: Commit) -> CommitInfo:
        """Subject and time of a commit; `UnknownCommit`."""

    async def build_inputs(self, commit: Commit, service: Service) -> str:
        """The id of everything that the service's build can see at the commit."""

    def checkout(self, commit: Commit) -> AbstractAsyncContextManager[Path]:
        """A full, throw-away work tree of the commit, gone when the context ends."""


class ImageBuilder(Protocol):
    """Builds images and pushes them."""

    async def check(self) -> None:
        """`Unreachable` unless what builds answers us."""

    async def build(self, tree: Path, service: Service, labels: Mapping[str, str]) -> str:
        """Build the service's image from a checkout; the local image id, or `BuildFailed`.

        Every line of the build's output is logged at INFO by `slipway.clients`.
        """

    async def push(self, image_id: str, reference: ImageReference) -> Digest:
        """Push a local image under a tag; the digest that the registry confirms.

        Raises `PushFailed` or `AccessDenied` for good, `Unreachable` when it may be tried again;
        after any of them no tag points at an image that is not whole.
        """


@dataclass(frozen=True, slots=True)
class PullCredentials:
    """User and password for one registry host, as a pull secret has them."""

    host: str
    username: str
    password: SecretStr


class ImageRegistry(Protocol):
    """The OCI registry."""

    async def find(self, reference: ImageReference) -> PublishedImage | None:
        """What the registry holds under the reference's digest, or else its tag, or None."""

    async def tags(self, repository: str) -> Sequence[str]:
        """Every tag of a repository, in no order; none if the repository does not exist."""

    async def require_push(self, repository: str) -> None:
        """`AccessDenied`, naming account and repository, unless we may push there."""

    async def tag(self, image: PublishedImage, tag: str) -> None:
        """Point `tag` at exactly this image, without a byte of it changing."""

    async def probe(self, reference: ImageReference, credentials: PullCredentials | None) -> None:
        """Prove that these credentials (None: nobody's) can pull the image, platform children too.

        Raises `AccessDenied` (rejected or not enough), `ImageMissing`, or `Unreachable`.
        """


class ConfigStore(Protocol):
    """The Pulumi ESC environment that holds the image references."""

    async def read(self, key: ConfigKey) -> ConfigSnapshot:
        """The key at the environment's latest revision, in whatever form it stands there."""

    async def write(self, snapshot: ConfigSnapshot, value: str | None) -> ConfigSnapshot:
        """Replace exactly this key's value (None removes a key that `snapshot` lacked before).

        Compare-and-set against the snapshot's ETag: `ConfigConflict` when the environment changed
        since, `ConfigRejected` when ESC refuses the definition, `ConfigKeyUnusable` or
        `AccessDenied`: after these nothing was written. Any other error leaves open whether it was,
        `ConfigMismatch` (it can't be read back, or differs) among them. Every other byte of the
        definition stays as it was. A lost answer is looked up, never sent twice. An equal value
        makes a revision too: a write that is still on its way finds its ETag stale.
        """

    async def revisions_since(self, key: ConfigKey, revision: int) -> Sequence[ConfigRevision]:
        """The revisions after `revision`, newest first: who changed the environment, and when."""


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

    async def prepare(self, tree: Path) -> None:
        """Run the target's prepare command in the checkout, without credentials, if it has one."""

    async def preview(self, program: ProgramRevision) -> Preview:
        """What an update would change; `PreviewFailed` with the engine's error. Changes nothing."""

    async def up(self, program: ProgramRevision, message: str, stop: asyncio.Event) -> Applied:
        """Apply, pinned to the ESC revision.

        When `stop` is set, the task is cancelled, or the deadline passes, the update gets one
        SIGINT and its end is awaited; only then does this return or raise. `StackBusy` when another
        update holds the stack (nothing was applied). Never runs twice at once.
        """

    async def refresh(self, program: ProgramRevision, message: str) -> None:
        """Read `program.only` back from the cluster into the stack's state; changes no cluster."""


@dataclass(frozen=True, slots=True)
class PullSecret:
    """A pull secret that the pod template names; `credentials` is empty when it can't be read."""

    name: str
    exists: bool
    problem: str = ""
    """Why it can't be used although it exists: wrong type, not parsable."""
    credentials: tuple[PullCredentials, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """One answer of a pod's health path; status 0 means that it did not answer."""

    status: int
    body: str = ""

    @property
    def good(self) -> bool:
        """Whether the pod says it is well."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own success class


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a person needs to see of a failure, already without secrets."""

    pods: tuple[str, ...] = ()
    """One line a pod: phase, container states, restarts."""
    events: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    """The last lines of the container that failed."""


class Cluster(Protocol):
    """The Kubernetes cluster."""

    async def check(self) -> None:
        """`Unreachable` or `AccessDenied` unless the API server answers us."""

    async def observe(self, workload: Workload) -> Workloads | None:
        """The Deployment with its ReplicaSets and pods; None when there is none.

        `DeploymentUnfit` when the labels fit more than one, or when they fit only another kind.
        """

    async def pull_secrets(self, workloads: Workloads) -> Sequence[PullSecret]:
        """The pull secrets that the pod template names."""

    async def node_platforms(self) -> frozenset[str]:
        """`os/architecture` of every node that takes pods."""

    async def health(self, workload: Workload, pod: str) -> Health:
        """Ask one pod's health path, through the API server's pod proxy."""

    async def evidence(self, workloads: Workloads, container: str, pod: str) -> Evidence:
        """What explains the state of `pod` (or of all pods when it is empty)."""

    async def restart(self, workload: Workload) -> None:
        """Replace the pods by new ones of the same template, as `kubectl rollout restart` does.

        Sent once: after a lost answer it is looked up whether it has arrived. `Unreachable` when it
        has not, `Unproven` when that can't be told.
        """


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may change a stack now; `fence` only grows."""

    stack: str
    holder: str
    fence: int


class Releases(Protocol):
    """Every release and its journal."""

    async def open(self, target: Target, request: Request) -> Release:
        """A new release, in state `releasing`, phase `opened`."""

    async def save(self, release: Release, *entries: Note | NewHold | NewVeto) -> Release:
        """Record the release as it now is; sets `ended` and `live_since` by the ledger's clock.

        `live_since` only grows at a target, also where that clock is set back: it orders the ways
        back.

        What changed is journaled, and `entries` after it, all in one transaction; a hold or a veto
        among them stands from then on. `LeaseLost` when a holder with a higher fence has taken over
        the row, or the stack's lease.
        """

    async def adopt(
        self, target: Target, image: ImageReference, accepted: frozenset[Digest]
    ) -> Release:
        """Record what was found running at first contact, as an `adopted` release that is live."""

    async def find(self, release: str) -> Release | None:
        """The release of this id, or None."""

    async def history(self, target: str, limit: int = 100) -> Sequence[Release]:
        """The target's releases, newest first."""

    async def unfinished(self, stack: str) -> Sequence[Release]:
        """Releases of the stack without an end, and those that are `unproven`; oldest first."""

    async def journal(self, release: str) -> Sequence[JournalEntry]:
        """Every entry of a release's journal, oldest first."""


class Leases(Protocol):
    """Who may change a stack now, and who waits for it."""

    async def acquire(self, stack: str, holder: str, seconds: float) -> Lease | None:
        """Take the stack's lease if nobody holds it or it ran out; None otherwise."""

    async def renew(self, lease: Lease, seconds: float) -> None:
        """Hold on to the lease; `LeaseLost` when it is somebody else's."""

    async def give_back(self, lease: Lease) -> None:
        """End the lease; nothing happens when it is not ours any more."""

    async def holder(self, stack: str) -> tuple[str, datetime] | None:
        """Who holds the stack's lease, and until when."""

    async def stand_in_line(self, release: Release, seconds: float) -> Sequence[Waiter]:
        """Be in the line of the release's stack for so long; everybody in it, in order of request.

        Repeated, it stays where it was. Whoever does not repeat it in time is left out.
        """

    async def leave_line(self, release: str) -> None:
        """Be in no line any more; nothing happens when the release is in none."""

    async def ask_to_end(self, release: str, why: str) -> bool:
        """Ask a release to end; False when it stands in no line. The first `why` stays."""


class Restrictions(Protocol):
    """Holds and vetoes: what automation must not do at a target."""

    async def place_hold(self, target: str, hold: NewHold) -> Hold:
        """Pause automation at a target."""

    async def holds(self, target: str, *, ever: bool = False) -> Sequence[Hold]:
        """Holds that stand now, neither lifted nor past their end, or that `ever` did; by age."""

    async def lift_hold(self, number: int, by: str, why: str) -> None:
        """End a hold; one that was lifted before stays as it was."""

    async def place_veto(self, target: str, veto: NewVeto) -> Veto:
        """Forbid automation a commit; a veto of it that stands already is kept as it is."""

    async def vetoes(self, target: str, *, ever: bool = False) -> Sequence[Veto]:
        """Vetoes that stand now, or that `ever` did; oldest first."""

    async def lift_veto(self, number: int, by: str, why: str) -> None:
        """End a veto; one that was lifted before stays as it was."""


class Ledger(Releases, Leases, Restrictions, Protocol):
    """The record of releases; every method commits before it returns."""

    async def identity(self) -> str:
        """The ledger's own name, made once with it."""

    async def record_takeover(self, takeover: Takeover) -> None:
        """Record that a stack of another ledger's is to be this one's."""

    async def takeovers(self, stack: str) -> Sequence[Takeover]:
        """Every takeover of the stack, oldest first."""

    def chains(self) -> AsyncIterator[Chain]:
        """Every release's journal beside what its row says, in order of request.

        Entries of a release that is not there come last, in a chain without a row.
        """

    async def published(self, reference: ImageReference) -> Digest | None:
        """The digest recorded for a tag, None if none was."""

    async def record_published(self, reference: ImageReference, digest: Digest) -> None:
        """Record a tag's digest, once; `TagConflict` when another one is recorded."""


class FlowRuns(Protocol):
    """Starts Prefect flow runs, and sees whether they have ended."""

    async def start(self, deployment: str, parameters: Mapping[str, object], key: str) -> str:
        """Start a run of a deployment (`flow/name`); its id.

        The same key gives the same run, however often it is asked for. `Unreachable` leaves open
        whether there is one.
        """

    async def has_ended(self, run: str) -> bool:
        """Whether the run has come to an end, or is not there any more."""


class Inbox(Protocol):
    """The webhook's deliveries; every method commits before it returns."""

    async def receive(self, deliveries: Sequence[Delivery]) -> Sequence[Receipt]:
        """Keep deliveries, all by one commit; one receipt each, in the order given.

        One whose id or body is kept already is not kept again: its receipt names the first.
        """

    async def waiting(self, target: str = "") -> Sequence[WaitingDelivery]:
        """What has no outcome at the target, or at any, in the order received."""

    async def settle(self, waiting: Sequence[WaitingDelivery], ending: Ending) -> None:
        """Give each its outcome, unless it has one: the first stays."""

    async def put_off(self, waiting: Sequence[WaitingDelivery], why: str) -> None:
        """Say what each still waits for, for those who look."""

    async def started(self, target: str, limit: int = 100) -> Sequence[StartedRun]:
        """The runs that deliveries have started at the target, newest first."""

    async def pushes(self, repository: str, branch: str, limit: int = 100) -> Sequence[Push]:
        """The pushes to a branch that were received last, newest first; names in any case."""

    async def known(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of GitHub's ids under which a delivery is kept."""

    async def recent(self, limit: int = 100) -> Sequence[ReceivedDelivery]:
        """The deliveries received last, newest first."""

    async def count_waiting(self) -> int:
        """How many have no outcome; also shows that the inbox can be read."""


class HookDeliveries(Protocol):
    """What GitHub has sent to one of its webhooks, and what became of it there."""

    async def attempts(self) -> Sequence[Attempt]:
        """The attempts of the last days, newest first."""

    async def redeliver(self, attempt: Attempt) -> None:
        """Have the same sent once more, under the same id."""


class Processes(Protocol):
    """The processes that work on releases, as far as they can be seen from here."""

    def own(self) -> ProcessIdentity | None:
        """This very process; None where that can't be told."""

    def has_ended(self, process: ProcessIdentity) -> bool:
        """Whether it is proven to have ended; not where it can't be seen, as on another machine."""


class CommitStatuses(Protocol):
    """What the code host shows beside a commit."""

    async def set_status(self, commit: Commit, status: CommitStatus) -> None:
        """Show what the commit is at a target, instead of what was shown before."""


class Deployments(Protocol):
    """The code host's timeline of what was deployed where; an environment is a target."""

    async def open_deployment(self, release: Release) -> int:
        """The deployment of a release whose commit is known; made where there is none yet."""

    async def set_progress(self, deployment: int, status: DeploymentStatus) -> None:
        """Say how far a deployment is."""

    async def retire_others(self, target: str, live: int, status: DeploymentStatus) -> None:
        """Say of Slipway's deployment that was live at the target before that it is not any more.

        Deployments of others are left alone.
        """


class WriteBack(CommitStatuses, Deployments, Protocol):
    """Where the commits come from, told of what became of them.

    `AccessDenied` where the token may not, `InvalidInput` where the code host does not know what it
    is told of, `Unreachable` where it does not answer in time.
    """


async def _nothing() -> None:
    """Close nothing: in memory there are no connections."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One target, and everything a release there needs.

    `neighbour` gives the ports of another target of the same stack by its name: recovery finishes
    whatever stands open at the stack. It raises `InvalidInput` for a name it does not know.
    `close` ends the connections that the ports have opened; they may be used again afterwards.
    """

    target: Target
    source: SourceRepository
    builder: ImageBuilder
    registry: ImageRegistry
    config: ConfigStore
    stack: Stack
    cluster: Cluster
    ledger: Ledger
    processes: Processes
    neighbour: Callable[[str], Awaitable["Ports"]]
    close: Callable[[], Awaitable[None]] = _nothing
    write_back: WriteBack | None = None
    """None tells nobody: no release depends on it."""

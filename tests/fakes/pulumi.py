"""A Pulumi stack in memory, with the real engine's traps (docs/architecture.md, section Pulumi)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from slipway.domain.change import (
    DEPLOYMENT_TYPE,
    ContainerInput,
    PathChange,
    Preview,
    ResourceChange,
)
from slipway.domain.commit import Commit
from slipway.domain.process import ProcessIdentity
from slipway.domain.target import ConfigKey
from slipway.errors import (
    ApplyFailed,
    PreviewFailed,
    SlipwayError,
    StackBusy,
    StillRunning,
    Unreachable,
)
from slipway.ports import (
    Applied,
    ProgramRevision,
    RecordedDeployment,
    StackState,
    StackUpdate,
    Started,
    unheard,
)
from tests.fakes.esc import FakeConfigStore
from tests.fakes.faults import Faults
from tests.fakes.kubernetes import FakeCluster, FakeDeployment
from tests.fakes.processes import CURRENT, FIRST_ENGINE, Process

AWAIT = 600.0
LOOK_EVERY = 0.5
LEASE, RENEW_EVERY = 300.0, 150.0
"""Seconds of Pulumi Cloud's lease of a stack, and after which the CLI renews it."""
ENDS_WITHIN = 120.0
"""Seconds that our client waits for an update that it has interrupted."""
REFRESH_TAKES = 1.0


class Update(Process):
    """The CLI's own process: it outlives whoever started it, and ends in order when asked once."""

    def __init__(self, message: str, program: ProgramRevision, version: int, number: int) -> None:
        super().__init__(f"pulumi {version}")
        self.identity = ProcessIdentity("here", "boot", FIRST_ENGINE + number, 0)
        self.message, self.program, self.version = message, program, version
        self.started = asyncio.get_running_loop().time()
        self.asked = asyncio.Event()
        self.stubborn = False
        """Whether it does not mind being asked: a provider that hangs."""
        self.ends: float | None = None
        """When its lease runs out, once nobody renews it any more."""
        self.why = ""

    def signal(self, number: int) -> None:
        """SIGINT: end in order."""
        del number
        self.asked.set()

    def lose_power(self) -> None:
        """It stops at once; its lease stays until it runs out."""
        super().lose_power()
        if self.ends is None:
            running = asyncio.get_running_loop().time() - self.started
            self.ends = self.started + running // RENEW_EVERY * RENEW_EVERY + LEASE


@dataclass
class Resource:
    """A Deployment of the program, and what the state remembers of it."""

    urn: str
    key: str
    deployment: FakeDeployment
    recorded: str = ""
    init_errors: tuple[str, ...] = ()
    exists: bool = True
    default: str = ""
    """The image that the program asks for where the key is absent; empty where it needs the key."""
    pending: bool = False
    """Whether an update died while it worked on it."""
    sets_replicas: bool = True
    """Whether the program does; an autoscaler scales where it does not."""


@dataclass
class FakeStack:
    """The `Stack` port: programs read their images from the fake ESC environment."""

    faults: Faults
    config: FakeConfigStore
    cluster: FakeCluster
    own_key: str
    resources: list[Resource]
    updates: list[StackUpdate]
    held_by: list[str] = field(default_factory=list)
    """Who else has an update under way; shared by every target of the stack."""
    running: list[Update] = field(default_factory=list)
    """Our own updates under way, and those whose process died; shared likewise."""
    tags: dict[str, str] = field(default_factory=dict)
    """The stack's tags, shared likewise."""
    engines: list[Update] = field(default_factory=list)
    """Every update and refresh that was ever started, shared likewise."""
    cancelled_alive: list[str] = field(default_factory=list)
    """The messages of updates that were cancelled while they ran, shared likewise."""
    shadows: dict[str, str] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    """Keys that no file of the program names."""
    extra: list[ResourceChange] = field(default_factory=list)
    """Changes beside the images that a preview would find: somebody's edit of the program."""
    complete: bool = True
    unknown: bool = False
    apply_within: float = 900.0
    """Seconds after which an update is asked to end: the target's."""

    async def check(self) -> None:
        await self.faults.at("before", "stack.check")

    async def state(self) -> StackState:
        await self.faults.at("before", "stack.state")
        deployments = tuple(
            RecordedDeployment(
                each.urn,
                each.deployment.namespace,
                each.deployment.name,
                {each.deployment.container: each.recorded},
                each.init_errors,
                each.sets_replicas,
            )
            for each in self.resources
            if each.exists
        )
        busy = self.busy
        last = self.updates[-1] if self.updates else None
        pending = sum(each.pending for each in self.resources)
        return StackState(last, busy, deployments, pending)

    @property
    def busy(self) -> bool:
        """Whether somebody holds the stack; a dead update's lease that ran out makes it failed."""
        now = asyncio.get_running_loop().time()
        for each in list(self.running):
            if each.ends is not None and now >= each.ends:
                self._end(each, "failed")
        return bool(self.held_by or self.running)

    async def history(self, limit: int) -> Sequence[StackUpdate]:
        await self.faults.at("before", "stack.history")
        return self.updates[::-1][:limit]

    async def ledger(self) -> str:
        await self.faults.at("before", "stack.ledger")
        return self.tags.get("slipway:ledger", "")

    async def claim(self, ledger: str, instead_of: str = "") -> str:
        named = await self.ledger()
        if named and (named == ledger or named != instead_of):
            return named
        if named:
            del self.tags["slipway:ledger"]
        await self.faults.at("before", "stack.claim")
        # Pulumi Cloud adds a tag only where there is none.
        self.tags.setdefault("slipway:ledger", ledger)
        await self.faults.at("after", "stack.claim")
        return self.tags["slipway:ledger"]

    async def shadow(self, tree: Path, key: ConfigKey) -> str | None:
        del tree
        return self.shadows.get(key.key)

    async def mentions(self, tree: Path, key: ConfigKey) -> bool:
        del tree
        named = {self.own_key, *(each.key for each in self.resources)}
        return key.key not in self.unread and key.key.partition(":")[2] in named

    async def prepare(self, tree: Path) -> None:
        del tree
        await self.faults.at("before", "stack.prepare")

    async def preview(self, program: ProgramRevision) -> Preview:
        await self.faults.at("before", "stack.preview")
        extra = [each for each in self.extra if program.only in {"", each.urn}]
        return Preview((*self._changes(program), *extra), self.complete)

    async def up(
        self,
        program: ProgramRevision,
        message: str,
        stop: asyncio.Event,
        started: Started = unheard,
    ) -> Applied:
        try:
            await self.faults.at("before", "stack.up")
        except Unreachable as error:  # the CLI says so and ends
            return Applied(False, Preview((), complete=False), None, str(error))
        update = self._start("update", program, message)
        try:
            changes = tuple(self._changes(program))
        except PreviewFailed as error:
            self._end(update, "failed")
            return Applied(False, Preview((), complete=False), update.version, str(error))
        started(update.identity)
        work = update.start(self._update(update))
        await _supervised(update, work, stop, self.apply_within)
        await self.faults.at("after", "stack.up")
        recorded = self.updates[update.version - 1]
        succeeded = recorded.result == "succeeded"
        why = "" if succeeded else update.why or "pulumi was killed"
        return Applied(succeeded, Preview(changes, complete=True), update.version, why)

    async def refresh(
        self, program: ProgramRevision, message: str, started: Started = unheard
    ) -> None:
        await self.faults.at("before", "stack.refresh")
        refresh = self._start("refresh", program, message)
        started(refresh.identity)
        await _supervised(refresh, refresh.start(self._refresh(refresh)), asyncio.Event())
        if self.updates[refresh.version - 1].result != "succeeded":
            raise ApplyFailed(f"pulumi refresh failed: {refresh.why or 'pulumi was killed'}")

    async def cancel(self, message: str) -> bool:
        await self.faults.at("before", "stack.cancel")
        held = self.busy and next((each for each in self.running if each.message == message), None)
        if not held:
            return False
        if not held.has_ended:
            # The real engine is not told: it goes on, and what it does is written down nowhere.
            self.cancelled_alive.append(message)
        self._end(held, "failed")
        await self.faults.at("after", "stack.cancel")
        return True

    def somebody_updates(self, message: str = "by hand") -> None:
        """Another person's finished update, which changed nothing here."""
        self.updates.append(StackUpdate(len(self.updates) + 1, "update", "succeeded", message))

    def somebody_dies(self) -> Update:
        """Another person's update whose machine stopped before it had changed anything."""
        program = ProgramRevision(Path(), Commit("0" * 40), self.config.latest.number)
        update = self._start("update", program, "by hand, killed")
        update.lose_power()
        return update

    def _start(self, kind: str, program: ProgramRevision, message: str) -> Update:
        if self.busy:
            holders = [*self.held_by, *(each.message for each in self.running)]
            raise StackBusy(f"stack is held by {holders[0]}")
        version = len(self.updates) + 1
        update = Update(message, program, version, len(self.engines))
        self.engines.append(update)
        self.running.append(update)
        self.updates.append(StackUpdate(version, kind, "in-progress", message, program.commit.sha))
        if (parent := CURRENT.get()) is not None:
            parent.children.append(update)
            update.parent = parent
        return update

    def _end(self, update: Update, result: str) -> None:
        self.running.remove(update)
        at = update.version - 1
        self.updates[at] = replace(self.updates[at], result=result)

    async def _update(self, update: Update) -> None:
        update.why = await self._apply(update)
        await update.breathe()
        self._end(update, "failed" if update.why else "succeeded")

    async def _refresh(self, refresh: Update) -> None:
        try:
            await self.faults.at("before", "stack.read-back")
        except SlipwayError as error:
            refresh.why = str(error)
        await asyncio.sleep(REFRESH_TAKES)
        await refresh.breathe()
        for each in self.resources:
            if not refresh.why and each.urn == refresh.program.only and each.exists:
                each.recorded = each.deployment.image
                each.init_errors, each.pending = (), False
        self._end(refresh, "failed" if refresh.why else "succeeded")

    async def _apply(self, update: Update) -> str:
        for each in self.resources:
            image = self._wanted(each, update.program)
            if update.program.only and each.urn != update.program.only:
                continue
            # The engine diffs against its own state: what the cluster really runs is not asked.
            if each.recorded == image and not each.init_errors:
                continue
            each.exists = each.pending = True
            self.cluster.deployments[each.deployment.namespace, each.deployment.name] = (
                each.deployment
            )
            try:
                await self.faults.at("before", "stack.server-side-apply")
            except SlipwayError as error:
                each.pending = False
                return str(error)
            await update.breathe()
            if why := self.cluster.conflict(each.deployment, image):
                each.pending = False
                return why
            self.cluster.set_image(each.deployment, image)
            await self.faults.at("after", "stack.server-side-apply")
            await update.breathe()
            why = await self._await_rollout(each, image, update)
            if why:
                return why
        return ""

    async def _await_rollout(self, resource: Resource, image: str, update: Update) -> str:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + AWAIT
        while loop.time() < deadline:
            if self.cluster.is_ready(resource.deployment):
                resource.recorded, resource.init_errors, resource.pending = image, (), False
                return ""
            if update.asked.is_set() and not update.stubborn:
                break
            await asyncio.sleep(LOOK_EVERY)
            await update.breathe()
        timed_out = "timed out waiting for the Deployment to be ready"
        why = timed_out if loop.time() >= deadline else "update cancelled"
        # A partial failure keeps the old inputs and remembers the init error.
        resource.init_errors, resource.pending = (why,), False
        return why

    def _wanted(self, resource: Resource, program: ProgramRevision) -> str:
        if program.value is not None and resource.key == self.own_key:
            return program.value
        image = self.config.at(program.config_revision).values.get(resource.key)
        if image is None and resource.default:
            return resource.default
        if image is None:
            raise PreviewFailed(f"missing required configuration variable {resource.key}")
        return image

    def _changes(self, program: ProgramRevision) -> list[ResourceChange]:
        return [
            self._change(each, self._wanted(each, program))
            for each in self.resources
            if not program.only or each.urn == program.only
        ]

    def _change(self, resource: Resource, image: str) -> ResourceChange:
        shown = None if self.unknown else image
        containers = (ContainerInput(0, resource.deployment.container, shown),)
        values = f"{resource.recorded} becomes {image}"
        path = PathChange("spec.template.spec.containers[0].image", "update", values)
        if not resource.exists:
            op, paths = "create", ()
        elif resource.recorded != image:
            return ResourceChange(resource.urn, "update", DEPLOYMENT_TYPE, (path,), containers)
        else:
            op, paths = ("update" if resource.init_errors else "same"), ()
        errors = bool(resource.init_errors)
        return ResourceChange(resource.urn, op, DEPLOYMENT_TYPE, paths, containers, errors)


async def _supervised(
    update: Update, work: asyncio.Task[None], stop: asyncio.Event, within: float = AWAIT
) -> None:
    """Wait for a child's end as our client does: asked once to end, and waited for."""
    loop = asyncio.get_running_loop()
    late = loop.time() + within
    asked_at: float | None = None
    cancelled: asyncio.CancelledError | None = None
    while not (work.done() or update.dead):
        if (stop.is_set() or loop.time() >= late) and asked_at is None:
            update.asked.set()
            asked_at = loop.time()
        if asked_at is not None and loop.time() >= asked_at + ENDS_WITHIN:
            raise StillRunning(f"{update.name} was interrupted and has not ended") from cancelled
        try:
            await asyncio.sleep(LOOK_EVERY)
        except asyncio.CancelledError as error:
            cancelled = error
            update.asked.set()
            asked_at = asked_at or loop.time()
    if work.done():
        work.result()
    if cancelled:
        raise cancelled

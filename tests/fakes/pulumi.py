"""A Pulumi stack in memory, with the real engine's traps (docs/architecture.md, section Pulumi)."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from slipway.domain.change import (
    DEPLOYMENT_TYPE,
    ContainerInput,
    PathChange,
    Preview,
    ResourceChange,
)
from slipway.domain.target import ConfigKey
from slipway.errors import PreviewFailed, StackBusy
from slipway.ports import (
    Applied,
    ProgramRevision,
    RecordedDeployment,
    StackState,
    StackUpdate,
)
from tests.fakes.esc import FakeConfigStore
from tests.fakes.faults import Faults
from tests.fakes.kubernetes import FakeCluster, FakeDeployment

AWAIT = 600.0
LOOK_EVERY = 0.5


@dataclass
class Resource:
    """A Deployment of the program, and what the state remembers of it."""

    urn: str
    key: str
    deployment: FakeDeployment
    recorded: str = ""
    init_errors: tuple[str, ...] = ()
    exists: bool = True


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
    """Who has an update under way; shared by every target of the stack."""
    shadows: dict[str, str] = field(default_factory=dict)
    extra: list[ResourceChange] = field(default_factory=list)
    """Changes beside the images that a preview would find: somebody's edit of the program."""
    complete: bool = True
    unknown: bool = False

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
            )
            for each in self.resources
            if each.exists
        )
        last = self.updates[-1] if self.updates else None
        return StackState(last, bool(self.held_by), deployments)

    async def shadow(self, tree: Path, key: ConfigKey) -> str | None:
        del tree
        return self.shadows.get(key.key)

    async def prepare(self, tree: Path) -> None:
        del tree
        await self.faults.at("before", "stack.prepare")

    async def preview(self, program: ProgramRevision) -> Preview:
        await self.faults.at("before", "stack.preview")
        extra = [each for each in self.extra if program.only in {"", each.urn}]
        return Preview((*self._changes(program), *extra), self.complete)

    async def up(self, program: ProgramRevision, message: str, stop: asyncio.Event) -> Applied:
        await self.faults.at("before", "stack.up")
        if self.held_by:
            raise StackBusy(f"stack is held by {self.held_by[0]}")
        self.held_by.append(message)
        changes = tuple(self._changes(program))
        try:
            why = await self._apply(program, stop)
        except asyncio.CancelledError:
            self._record(message, "failed", program)
            raise
        finally:
            self.held_by.remove(message)
        self._record(message, "failed" if why else "succeeded", program)
        await self.faults.at("after", "stack.up")
        return Applied(not why, Preview(changes, complete=True), self.updates[-1].version, why)

    async def refresh(self, program: ProgramRevision, message: str) -> None:
        await self.faults.at("before", "stack.refresh")
        for each in self.resources:
            if each.urn == program.only and each.exists:
                each.recorded = each.deployment.image
                each.init_errors = ()
        self._record(message, "succeeded", program, kind="refresh")

    def somebody_updates(self, message: str = "by hand") -> None:
        """Another person's finished update, which changed nothing here."""
        self.updates.append(StackUpdate(len(self.updates) + 1, "update", "succeeded", message))

    async def _apply(self, program: ProgramRevision, stop: asyncio.Event) -> str:
        for each in self.resources:
            image = self._wanted(each, program)
            if program.only and each.urn != program.only:
                continue
            # The engine diffs against its own state: what the cluster really runs is not asked.
            if each.recorded == image and not each.init_errors:
                continue
            each.exists = True
            self.cluster.deployments[each.deployment.namespace, each.deployment.name] = (
                each.deployment
            )
            await self.faults.at("before", "stack.server-side-apply")
            self.cluster.set_image(each.deployment, image)
            why = await self._await_rollout(each, image, stop)
            if why:
                return why
        return ""

    async def _await_rollout(self, resource: Resource, image: str, stop: asyncio.Event) -> str:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + AWAIT
        why = "timed out waiting for the Deployment to be ready"
        try:
            await self.faults.at("after", "stack.server-side-apply")
            while loop.time() < deadline:
                if self.cluster.is_ready(resource.deployment):
                    resource.recorded, resource.init_errors = image, ()
                    return ""
                if stop.is_set():
                    why = "update cancelled"
                    break
                await asyncio.sleep(LOOK_EVERY)
        except asyncio.CancelledError:
            # A partial failure keeps the old inputs and remembers the init error.
            resource.init_errors = ("cancelled",)
            raise
        resource.init_errors = (why,)
        return why

    def _wanted(self, resource: Resource, program: ProgramRevision) -> str:
        if program.value is not None and resource.key == self.own_key:
            return program.value
        image = self.config.at(program.config_revision).values.get(resource.key)
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
        path = PathChange("spec.template.spec.containers[0].image", "update")
        if not resource.exists:
            op, paths = "create", ()
        elif resource.recorded != image:
            return ResourceChange(resource.urn, "update", DEPLOYMENT_TYPE, (path,), containers)
        else:
            op, paths = ("update" if resource.init_errors else "same"), ()
        errors = bool(resource.init_errors)
        return ResourceChange(resource.urn, op, DEPLOYMENT_TYPE, paths, containers, errors)

    def _record(
        self, message: str, result: str, program: ProgramRevision, kind: str = "update"
    ) -> None:
        number = len(self.updates) + 1
        self.updates.append(StackUpdate(number, kind, result, message, program.commit.sha))

"""Preflight: what a release needs, looked at before anything is changed; `slipway doctor`."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.domain.commit import Commit
from slipway.domain.config import require_replaceable, require_unshadowed
from slipway.domain.fitness import others_of, require_fit, require_ours, require_recorded
from slipway.domain.image import ImageReference
from slipway.domain.release import Kind, Options, Phase, Request
from slipway.domain.workloads import Workloads
from slipway.errors import (
    DeploymentUnfit,
    PreflightFailed,
    SlipwayError,
    TransientError,
    Unreachable,
)
from slipway.ports import Ports
from slipway.tasks.baseline import find_way_back
from slipway.tasks.ownership import check_own_stack
from slipway.tasks.policies import repeatable
from slipway.tasks.program import choose_program
from slipway.tasks.pull_secrets import require_pullable

log = logging.getLogger(__name__)

Look = tuple[str, Callable[[], Awaitable[str | None]]]
LookAtDeployment = Callable[[Ports, Options], Awaitable[None]]
WAY_BACK = "there is a way back"
SHADOW = "the stack file leaves the key to ESC"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `error` is None when it is in order."""

    name: str
    error: SlipwayError | None
    note: str = ""
    """What of it can't be told, although nothing is known to be out of order."""

    @property
    def good(self) -> bool:
        """Whether it is in order."""
        return self.error is None


@repeatable("preflight")
async def preflight(ports: Ports, request: Request, commit: Commit | None = None) -> None:
    """Refuse, with every remedy at once, when something that a release needs is not in order.

    With a deploy's commit also what could refuse it only after its build. Everything is looked at
    once more under the lease, where it counts: until then a release of ours may be at work on the
    Deployment, for whose end this one waits.
    """
    looks = _looks(ports, request.options, _check_deployment_in_line)
    if commit is not None:
        looks += [
            (WAY_BACK, lambda: _check_way_back(ports, request)),
            (SHADOW, lambda: _check_program(ports, commit)),
        ]
    require(await _look_at(looks))


def require(checks: Sequence[Check]) -> None:
    """Raise the one thing that is wrong, or all of them together; each once.

    While one of them may be over when it is tried again, so may all of them together: what can't
    be reached hides what is wrong behind it.
    """
    found = {str(each.error): each.error for each in checks if each.error is not None}
    errors = list(found.values())
    if len(errors) == 1:
        raise errors[0]
    if errors:
        listed = "; ".join(f"({number}) {error}" for number, error in enumerate(errors, 1))
        passing = any(isinstance(each, TransientError) for each in errors)
        kind = Unreachable if passing else PreflightFailed
        raise kind(f"{len(errors)} things are not in order: {listed}")


async def check_all(ports: Ports, options: Options, tree: Path | None = None) -> list[Check]:
    """Look at everything at once; what can't be reached does not hide the other checks."""
    looks = _looks(ports, options, _check_deployment)
    if tree is not None:
        looks.append((SHADOW, lambda: _check_shadow(ports, tree)))
    return await _look_at(looks)


def _looks(ports: Ports, options: Options, check_deployment: LookAtDeployment) -> list[Look]:
    """What every release needs."""
    return [
        ("Kubernetes answers", ports.cluster.check),
        ("Pulumi can be used", ports.stack.check),
        ("the registry answers", lambda: _check_registry(ports)),
        ("the ESC key can be replaced", lambda: _check_key(ports, options)),
        ("the Deployment can be released to", lambda: check_deployment(ports, options)),
        ("the pull secret can pull", lambda: _check_pull_secrets(ports)),
        ("the stack is this ledger's", lambda: check_own_stack(ports)),
    ]


async def _look_at(looks: Sequence[Look]) -> list[Check]:
    async with asyncio.TaskGroup() as group:
        looked = [group.create_task(_tried(name, look)) for name, look in looks]
    return [task.result() for task in looked]


async def check_way_back(ports: Ports) -> Check:
    """Whether a deploy that fails could be undone."""
    anybody = Request(Kind.DEPLOY, "", "")
    return await _tried(WAY_BACK, lambda: _check_way_back(ports, anybody))


async def check_publishing(ports: Ports) -> list[Check]:
    """What only a build needs: a rollback, and a commit whose image is there, go without it."""
    repository = ports.target.service.repository
    return [
        await _tried("Docker answers", ports.builder.check),
        await _tried("the account may push", lambda: ports.registry.require_push(repository)),
    ]


async def _tried(name: str, look: Callable[[], Awaitable[str | None]]) -> Check:
    try:
        return Check(name, None, await look() or "")
    except SlipwayError as error:
        return Check(name, error)


async def _check_registry(ports: Ports) -> None:
    await ports.registry.find(ImageReference(ports.target.service.repository, "main"))


async def _check_key(ports: Ports, options: Options) -> None:
    snapshot = await ports.config.read(ports.target.config_key)
    require_replaceable(snapshot, first=options.first)


async def _check_way_back(ports: Ports, request: Request) -> None:
    seen = await ports.cluster.observe(ports.target.workload)
    config = await ports.config.read(ports.target.config_key)
    await find_way_back(ports, request, config, seen)


async def _check_program(ports: Ports, commit: Commit) -> None:
    program = await choose_program(ports, commit, image_only=False)
    async with ports.source.checkout(program) as tree:
        await _check_shadow(ports, tree)


async def _check_shadow(ports: Ports, tree: Path) -> None:
    shadow = await ports.stack.shadow(tree, ports.target.config_key)
    stack_file = f"{ports.target.program}/Pulumi.{ports.target.stack.stack}.yaml"
    require_unshadowed(ports.target.config_key, shadow, stack_file)


async def _check_deployment_in_line(ports: Ports, options: Options) -> None:
    """What is not at rest because of a release of ours at the stack is no fault.

    It is at work there, or a dead process has left it: under the lease this one finishes it first.
    """
    before = await at_work(ports)
    try:
        await _check_deployment(ports, options)
    except DeploymentUnfit as error:
        if not (before or await at_work(ports)):
            raise
        log.info("%s; a release of ours stands open there: it is asked again then", error)


async def at_work(ports: Ports) -> str:
    """Who of ours is at work at the target's stack, or has died there; empty for nobody."""
    stack = str(ports.target.stack)
    if (held := await ports.ledger.holder(stack)) is not None:
        return f"{held.lease.holder} is at work at {stack}"
    for each in await ports.ledger.unfinished(stack):
        if each.phase.reached(Phase.DECIDED):
            return f"release {each.id} stands open at {stack}"
    return ""


async def _check_deployment(ports: Ports, options: Options) -> None:
    seen = await ports.cluster.observe(ports.target.workload)
    require_workloads(ports, seen, options)
    if seen is None:
        return
    await require_owned(ports, seen)
    require_fit(seen, ports.target.workload.container)
    recorded = (await ports.stack.state()).deployment(seen.namespace, seen.name)
    container = ports.target.workload.container
    require_recorded(seen, recorded.images.get(container) if recorded else None)


async def require_owned(ports: Ports, seen: Workloads) -> None:
    """Refuse a Deployment of which others own what the program sets.

    Whether it sets the replicas, Pulumi's state tells; that is asked only where others own them.
    """
    recorded = None
    if others_of(seen.replicas_managers):
        recorded = (await ports.stack.state()).deployment(seen.namespace, seen.name)
    sets_replicas = recorded is None or recorded.sets_replicas
    require_ours(seen, ports.target.workload.container, sets_replicas=sets_replicas)


def require_workloads(ports: Ports, seen: Workloads | None, options: Options) -> None:
    """Refuse an absent Deployment unless this is to be the first release."""
    if seen is None and not options.first:
        raise DeploymentUnfit(
            f"there is no {ports.target.workload}: deploy with --first if this is to be its first "
            "release, or correct namespace and name of the target"
        )


async def _check_pull_secrets(ports: Ports) -> str:
    seen = await ports.cluster.observe(ports.target.workload)
    if seen is None:
        return ""
    await require_owned(ports, seen)
    return await require_pullable(ports, seen, ImageReference.parse(seen.image))

"""One look at a target from every side, for an audit: reads only, each place for itself."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from slipway.domain.agreement import Unknown
from slipway.domain.auditing.picture import (
    Applied,
    Memory,
    Moving,
    NotAsked,
    Picture,
    Program,
    reference_of,
)
from slipway.domain.config import ConfigRevision, ConfigSnapshot
from slipway.domain.finding import Finding
from slipway.domain.fitness import the_ready_digest
from slipway.domain.image import Digest
from slipway.domain.release import Release, State
from slipway.domain.retention import Plan, Policy
from slipway.domain.scheduling import ANYWHERE, Node, open_to
from slipway.domain.way_back import Leaving, leaving, previous
from slipway.domain.workloads import Workloads
from slipway.errors import StackUnusable
from slipway.ports import ALL, Ports, StackState
from slipway.tasks.asking import FETCH_WITHIN, Together, asked
from slipway.tasks.gates import find_barred
from slipway.tasks.holdings import find_holdings
from slipway.tasks.lineage import find_lineage
from slipway.tasks.pulling import try_pull
from slipway.tasks.retaining import make_plan
from slipway.tasks.unread import find_unread

T = TypeVar("T")

WHOLE_REGISTRY_WITHIN = 300.0
"""Seconds for the names that matter, and for a plan of what nobody needs."""
EACH_TAG_WITHIN = 0.2
"""Seconds more for each tag that was ever recorded, where all are looked up."""


@dataclass(frozen=True, slots=True)
class _Activity:
    """Who changes the stack, and the target's newest release: differs when one was at work."""

    holder: str
    newest: tuple[str, State] | None


@dataclass(frozen=True, slots=True)
class Depth:
    """What is looked at beside what matters to the next release."""

    every_tag: bool = False
    """Every tag that the ledger has ever recorded."""
    sharing: Sequence[Ports] | None = None
    """All targets that take images from the repository: only they tell together what nobody needs.
    Empty where that is told at another of them; None does not look."""
    registered: Sequence[Ports] | None = None
    """All targets that there are: only they tell together which keys of ESC nobody has. None where
    these are some of them."""


async def look(ports: Ports, together: Together, at: datetime, depth: Depth) -> Picture:
    """The picture of a target now; what a release is changing meanwhile is `Moving`."""
    before = await asked(_activity(ports))
    standing = await asked(_standing(ports))
    config, state, cluster, nodes, program = await asyncio.gather(
        asked(ports.config.read(ports.target.config_key)),
        asked(together.once("state", str(ports.target.stack), ports.stack.state)),
        asked(ports.cluster.observe(ports.target.workload)),
        asked(together.once("nodes", ports.cluster, ports.cluster.nodes)),
        asked(_program(ports, together), FETCH_WITHIN),
    )
    nodes = _open_to(cluster, nodes)
    ledger = await asked(_remember(ports, together, cluster, standing))
    within = _within(depth, ledger)
    registry, pulls = await asyncio.gather(
        asked(
            find_holdings(
                ports, together, (config, cluster, ledger, nodes), every_tag=depth.every_tag
            ),
            within,
        ),
        asked(try_pull(ports, together, cluster, parts=False))
        if not isinstance(cluster, Unknown)
        else _same(cluster),
    )
    git = await asked(find_lineage(ports, together, cluster, registry, ledger), FETCH_WITHIN)
    applied = _applied(ports, state, cluster)
    picture = Picture(
        ports.target,
        at,
        git,
        registry,
        config,
        _because_of(git, program),
        applied,
        cluster,
        nodes,
        _because_of(registry, pulls),
        ledger,
        await asked(_prunable(depth, together, at), within),
        await _set_in(ports, config, applied),
        await asked(find_unread(ports, depth.registered, together), FETCH_WITHIN),
    )
    after = await asked(_activity(ports))
    why = _why_moving(before, after, state)
    return _blurred(picture, why) if why else picture


def _within(depth: Depth, ledger: Memory | Unknown) -> float:
    """A registry that answers slowly, and answers, is not away."""
    if isinstance(ledger, Unknown) or not depth.every_tag:
        return WHOLE_REGISTRY_WITHIN
    return WHOLE_REGISTRY_WITHIN + EACH_TAG_WITHIN * len(ledger.published)


async def _prunable(depth: Depth, together: Together, at: datetime) -> Plan | Unknown | None:
    if depth.sharing is None:
        if depth.every_tag:
            return Unknown(
                "what none of the targets needs, only all of them tell together: name no target"
            )
        return NotAsked("not every tag of all targets was looked up (--every-tag)")
    return await make_plan(depth.sharing, together, Policy(), at) if depth.sharing else None


async def _set_in(
    ports: Ports, config: ConfigSnapshot | Unknown, applied: Applied | Unknown
) -> ConfigRevision | None:
    """Who wrote a value that nobody has applied; only the name is missing where that fails."""
    if isinstance(config, Unknown) or isinstance(applied, Unknown):
        return None
    if config.value is None or config.value == applied.image:
        return None
    found = await asked(ports.config.set_in(config))
    return None if isinstance(found, Unknown) else found


def _open_to(
    cluster: Workloads | Unknown | None, nodes: Sequence[Node] | Unknown
) -> Sequence[Node] | Unknown:
    """The nodes that its pods may come to; a Deployment not seen is taken to ask for none.

    Without it no rule finds anything by the nodes.
    """
    if isinstance(nodes, Unknown):
        return nodes
    asks = cluster.placement if isinstance(cluster, Workloads) else ANYWHERE
    return open_to(asks, nodes)


async def _same(unknown: Unknown) -> Unknown:
    return unknown


def _because_of(cause: object, part: T | Unknown) -> T | Unknown:
    """What is unknown where what it is read from is unknown too is so for that one's reason."""
    return cause if isinstance(cause, Unknown) and isinstance(part, Unknown) else part


async def _activity(ports: Ports) -> _Activity:
    held = await ports.ledger.holder(str(ports.target.stack))
    newest = next(iter(await ports.ledger.history(ports.target.name, 1)), None)
    at_work = held.lease.holder if held else ""
    return _Activity(at_work, (newest.id, newest.state) if newest else None)


def _why_moving(
    before: _Activity | Unknown, after: _Activity | Unknown, state: StackState | Unknown
) -> str:
    """Why what was seen is of no one moment; empty when nobody was at work."""
    if isinstance(before, Unknown) or isinstance(after, Unknown):
        return "whether a release is at work can't be told without the ledger"
    if before.holder or after.holder:
        return f"{before.holder or after.holder} is at work at the stack"
    if before != after:
        return "a release was at work meanwhile"
    if not isinstance(state, Unknown) and state.busy:
        return "an update of the stack is under way"
    return ""


def _blurred(picture: Picture, why: str) -> Picture:
    """The same picture without what a release changes; what is unknown stays so."""
    moving = Moving(why)
    return replace(
        picture,
        registry=picture.registry if isinstance(picture.registry, Unknown) else moving,
        config=picture.config if isinstance(picture.config, Unknown) else moving,
        stack=picture.stack if isinstance(picture.stack, Unknown) else moving,
        cluster=picture.cluster if isinstance(picture.cluster, Unknown) else moving,
        pulls=picture.pulls if isinstance(picture.pulls, Unknown) else moving,
        prunable=moving,
    )


async def _program(ports: Ports, together: Together) -> Program:
    target = ports.target
    await together.fetched(ports)
    head = await ports.source.head(target.branch)
    tree = await together.tree(ports, head)
    stack_file = f"{target.program}/Pulumi.{target.stack.stack}.yaml"
    try:
        shadow = await ports.stack.shadow(tree, target.config_key)
    except StackUnusable as error:
        return Program(stack_file, problem=str(error), lacks_import=error.lacks_import)
    mentioned = await ports.stack.mentions(tree, target.config_key)
    return Program(stack_file, shadow, mentioned)


async def _standing(ports: Ports) -> Sequence[Finding]:
    return [each.finding for each in await ports.ledger.findings(ports.target.name)]


async def _published(ports: Ports) -> Mapping[str, Digest]:
    found = await ports.ledger.published_tags(ports.target.service.repository)
    return {tag: each.digest for tag, each in found.items()}


async def _remember(
    ports: Ports,
    together: Together,
    cluster: Workloads | Unknown | None,
    standing: Sequence[Finding] | Unknown,
) -> Memory:
    target, ledger = ports.target, ports.ledger
    history = await ledger.history(target.name, ALL)
    left = Leaving()
    if isinstance(cluster, Workloads):
        running = the_ready_digest(cluster, target.workload.container)
        left = leaving(history, running, cluster.image)
    barred = await find_barred(ports, history)
    ways = previous(history, left, barred)
    repository = target.service.repository
    published = await together.once(f"published {repository}", ledger, lambda: _published(ports))
    return Memory(
        history,
        await _interrupted(ports),
        await ledger.holds(target.name),
        published,
        [
            each
            for way in ways
            if (each := reference_of(way.image)) is not None and each.repository == repository
        ],
        barred.commits,
        () if isinstance(standing, Unknown) else standing,
    )


async def _interrupted(ports: Ports) -> Sequence[Release]:
    """Open releases that nobody works on: they had the lease, or their process is gone."""
    stack = str(ports.target.stack)
    if await ports.ledger.holder(stack) is not None:
        return ()
    return [
        each
        for each in await ports.ledger.unfinished(stack)
        if each.target == ports.target.name
        and (each.fence > 0 or ports.processes.has_ended(each.worker))
    ]


def _applied(
    ports: Ports, state: StackState | Unknown, cluster: Workloads | Unknown | None
) -> Applied | Unknown:
    """What Pulumi records for the Deployment that runs, or that the target names."""
    if isinstance(state, Unknown):
        return state
    workload = ports.target.workload
    name = cluster.name if isinstance(cluster, Workloads) else workload.name
    if isinstance(cluster, Unknown) and not name:
        return cluster  # only it could tell the Deployment's name
    recorded = state.deployment(workload.namespace, name)
    version = state.last_update.version if state.last_update else 0
    image = recorded.images.get(workload.container) if recorded else None
    sets_replicas = recorded is None or recorded.sets_replicas
    return Applied(image, version, state.pending_operations, sets_replicas)

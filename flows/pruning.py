"""What pruning does, in which order: read everything, plan; and delete exactly a plan.

A plan is made anew before it is applied, and applied only where it is still the one that was shown.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

from slipway.domain.image import Digest
from slipway.domain.retention import Plan, Policy, require_same
from slipway.ports import Ports
from slipway.tasks.asking import Together
from slipway.tasks.lease import stack_lease
from slipway.tasks.policies import once, repeatable
from slipway.tasks.retaining import make_plan

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of a plan."""

    plan: Plan
    deleted: tuple[Digest, ...] = ()
    restored_by: Mapping[Digest, str] = field(default_factory=dict)
    """What each can be restored by, where the registry restores."""


def by_repository(every: Sequence[Ports]) -> Mapping[str, Sequence[Ports]]:
    """The targets by where their images are."""
    found: dict[str, list[Ports]] = {}
    for each in every:
        found.setdefault(each.target.service.repository, []).append(each)
    return found


@repeatable("plan what may be deleted")
async def plan(every: Sequence[Ports], policy: Policy, at: datetime | None = None) -> Plan:
    """Plan for the one repository of these targets: all that take images from it."""
    async with Together() as together:
        return await make_plan(every, together, policy, at or datetime.now(UTC))


async def apply(
    every: Sequence[Ports], policy: Policy, wanted: str, at: datetime | None = None
) -> Pruned:
    """Delete exactly the plan of this hash, under the leases of all stacks concerned.

    No release changes what is in use meanwhile. A deletion that fails ends it; what was deleted
    until then is logged, and a new plan finds the rest.
    """
    stacks = {str(each.target.stack): each for each in every}
    async with AsyncExitStack() as leases:
        for name in sorted(stacks):
            await leases.enter_async_context(stack_lease(stacks[name], "prune"))
        made = await plan(every, policy, at)
        require_same(made, wanted)
        deleted = await _delete(every[0], made)
        restored_by = {digest: mark for digest, mark in deleted.items() if mark}
        return Pruned(made, tuple(deleted), restored_by)


@once("delete the plan's images")
async def _delete(ports: Ports, made: Plan) -> Mapping[Digest, str]:
    """One after the other, an image before its parts: a crash leaves no image without a part."""
    deleted: dict[Digest, str] = {}
    for each in made.deletions:
        for digest in (each.digest, *each.parts):
            mark = deleted[digest] = await ports.registry.remove(made.repository, digest)
            told = f", restored by its number {mark}" if mark else ""
            log.info("deleted %s@%s%s", made.repository, digest, told)
        await asyncio.sleep(0)
    return deleted

"""What pruning does, in which order: read everything, plan; and delete exactly a plan.

A plan is made anew before it is applied, and applied only where it is still the one that was shown.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from flows.deleting import Carried
from slipway.domain.image import Digest
from slipway.domain.retention import Plan, Policy, require_same
from slipway.errors import SlipwayError
from slipway.ports import Ports
from slipway.tasks.asking import Together
from slipway.tasks.lease import stack_lease
from slipway.tasks.newly_named import read_marks
from slipway.tasks.policies import once, repeatable
from slipway.tasks.retaining import look_around, make_plan

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of a plan."""

    plan: Plan
    deleted: tuple[Digest, ...] = ()
    restored_by: Mapping[Digest, str] = field(default_factory=dict)
    """What each of the plan can be restored by once it is deleted, where the registry restores."""
    refused: Mapping[Digest, str] = field(default_factory=dict)
    """What the registry would not delete, and why: it stays."""
    stopped: SlipwayError | None = None
    """What ended it early; the next one of the plan may be deleted, or not."""


Done = tuple[Sequence[Digest], Mapping[Digest, str], SlipwayError | None]
"""What was deleted, what the registry refused, and what ended it early."""
Tell = Callable[[Pruned], Awaitable[None]]


async def tell_nobody(_: Pruned) -> None:
    """For callers that read the log."""


def by_repository(every: Sequence[Ports]) -> Mapping[str, Sequence[Ports]]:
    """The targets by where their images are."""
    found: dict[str, list[Ports]] = {}
    for each in every:
        found.setdefault(each.target.service.repository, []).append(each)
    return found


@repeatable("plan what may be deleted")
async def plan(every: Sequence[Ports], policy: Policy, at: datetime | None = None) -> Plan:
    """Plan for the one repository of these targets: all that take images from it.

    Nothing is older than the ledger's clock says, nor this machine's: one that is ahead lets
    nothing go.
    """
    now = at or min(datetime.now(UTC), await every[0].ledger.clock())
    async with Together() as together:
        return await make_plan(every, together, policy, now)


async def apply(
    every: Sequence[Ports],
    policy: Policy,
    wanted: str,
    at: datetime | None = None,
    tell: Tell = tell_nobody,
) -> Pruned:
    """Delete exactly the plan of this hash, under the leases of all stacks concerned.

    Planned before the leases are taken, so that no rollback waits meanwhile: what comes from the
    first look on ends it, as between two deletions. No release changes what is in use then, and
    where one begins, anything is published, or anybody else names what goes, nothing more is
    deleted. By what each would be restored is logged, and told to `tell`, before the first is
    deleted: whatever happens then, it is known. A deletion that fails ends it, and a new plan finds
    the rest; one that the registry refuses keeps no other back, and goes last in later plans.
    """
    before, marks = await look_around(every), await read_marks(every)
    made = await plan(every, policy, at)
    require_same(made, wanted)
    planned = Pruned(made, restored_by=await _restored_by(every[0], made))
    await tell(planned)
    stacks = {str(each.target.stack): each for each in every}
    async with AsyncExitStack() as leases:
        held = [
            await leases.enter_async_context(stack_lease(stacks[name], "prune"))
            for name in sorted(stacks)
        ]
        deleted, refused, stopped = await _delete(Carried(every, made, before, marks, held))
        return replace(planned, deleted=tuple(deleted), refused=refused, stopped=stopped)


@repeatable("look up what restores them")
async def _restored_by(ports: Ports, made: Plan) -> Mapping[Digest, str]:
    found = {}
    for digest in _in_order(made):
        number = await ports.registry.restore_number(made.repository, digest)
        if number:
            found[digest] = number
            log.info("to be deleted: %s@%s, restored by %s", made.repository, digest, number)
    return found


@once("delete the plan's images")
async def _delete(carried: Carried) -> Done:
    """One after the other, an image before its parts: a crash leaves no image without a part."""
    stopped: SlipwayError | None = None
    for each in carried.plan.deletions:
        try:
            await carried.delete(each)
        except SlipwayError as error:
            log.error("stopped at %s@%s: %s", carried.plan.repository, each.digest, error)  # noqa: TRY400 - one sentence says it
            stopped = error
            break
        await asyncio.sleep(0)
    return carried.deleted, carried.refused, await _lost(carried) or stopped


async def _lost(carried: Carried) -> SlipwayError | None:
    """What is wrong with what was to stay, or why that can't be told; None where nothing is."""
    try:
        await carried.require_kept()
    except SlipwayError as error:
        log.error("what stays of %s: %s", carried.plan.repository, error)  # noqa: TRY400 - one sentence says it
        return error
    return None


def _in_order(made: Plan) -> Sequence[Digest]:
    return [digest for each in made.deletions for digest in (each.digest, *each.parts)]

"""Prune: a plan of what nobody needs any more; deletes only what a person asks for by its hash."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import BaseModel, ConfigDict, Field

from blocks.loading import all_connected
from flows.pruning import Pruned, apply, by_repository, plan
from flows.states import refusing
from slipway.domain.release import reason
from slipway.domain.retention import Plan, Policy
from slipway.errors import InvalidInput
from slipway.ports import Ports
from slipway.tasks.prune_report import report_plan, what_was_done


class PruneOptions(BaseModel):
    """What is kept, and which plan is applied."""

    model_config = ConfigDict(extra="forbid")

    keep_live: int = Field(
        default=10,
        ge=1,
        description="Images of each target that are kept, of its newest live releases.",
    )
    younger_than_days: int = Field(
        default=30, ge=1, description="What is younger is kept, whatever it is."
    )
    apply: str = Field(
        default="", description="The hash of the plan to apply; empty only shows the plan."
    )


@flow(name="prune", flow_run_name="prune {repository}", persist_result=False)
@refusing
async def prune(
    repository: str,
    options: PruneOptions = PruneOptions(),  # noqa: B008 - never changed; Prefect's form shows it
) -> State[Any]:
    """Show which images of a repository nobody needs any more; delete them when told the plan.

    Args:
        repository: Filled in already: where the images are.
        options: What is kept, and the hash of a plan that was shown, to apply it.
    """
    policy = Policy(options.keep_live, timedelta(days=options.younger_than_days))
    async with all_connected() as every:
        mine = by_repository(every).get(repository)
        if mine is None:
            known = ", ".join(by_repository(every)) or "none"
            raise InvalidInput(
                f"no registered target has its images in {repository}; there are {known}: choose "
                "one of them"
            )
        if options.apply:
            return await _apply(mine, policy, options.apply)
        made = await plan(mine, policy)
        await report_plan(made)
        return Completed(name="Planned", message=_message(made))


async def _apply(mine: Sequence[Ports], policy: Policy, wanted: str) -> State[Any]:
    """The table stands before the first deletion: a run that dies has told what restores it."""
    pruned = await apply(mine, policy, wanted, tell=_report)
    await _report(pruned)
    told = what_was_done(len(pruned.deleted), len(pruned.refused))
    if pruned.stopped is not None:
        return Failed(name="Stopped", message=f"{reason(pruned.stopped)}; until then {told}")
    return Completed(name="Pruned", message=told)


async def _report(pruned: Pruned) -> None:
    done = what_was_done(len(pruned.deleted), len(pruned.refused))
    await report_plan(pruned.plan, done, pruned.restored_by, pruned.refused)


def _message(made: Plan) -> str:
    return f"plan {made.hash}: {len(made.deletions)} images may go, {len(made.kept)} stay"

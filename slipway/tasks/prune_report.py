"""A plan for people: what would go and why the rest stays, as an artifact of the run."""

from slipway.domain.retention import Plan
from slipway.tasks.report import leave_table


def plan_rows(plan: Plan) -> list[dict[str, str]]:
    """A line an image: what goes first, then what stays and why."""
    gone = [
        {
            "image": each.digest.short,
            "tags": ", ".join(tag[:12] for tag in each.tags),
            "what": f"goes, with {len(each.parts)} parts",
            "why": f"nobody needs it; about {each.bytes // 2**20} MiB",
        }
        for each in plan.deletions
    ]
    kept = [
        {"image": digest.short, "tags": "", "what": "stays", "why": why}
        for digest, why in sorted(plan.kept.items())
    ]
    return [*gone, *kept]


async def report_plan(plan: Plan, deleted: int | None = None) -> None:
    """Leave the plan as a table; `deleted` when it was applied."""
    done = "" if deleted is None else f", applied: {deleted} manifests deleted"
    description = f"plan {plan.hash} for {plan.repository}{done}"
    await leave_table("prune-plan", plan_rows(plan), description)

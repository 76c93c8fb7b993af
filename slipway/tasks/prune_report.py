"""A plan for people: what would go and why the rest stays, as an artifact of the run."""

import hashlib
import re
from collections.abc import Mapping

from slipway.domain.image import Digest
from slipway.domain.retention import Deletion, Plan
from slipway.tasks.report import leave_table

NOTHING: Mapping[Digest, str] = {}


def plan_rows(
    plan: Plan,
    restored_by: Mapping[Digest, str] = NOTHING,
    refused: Mapping[Digest, str] = NOTHING,
) -> list[dict[str, str]]:
    """A line an image: what goes first, then what stays and why.

    `restored_by` has, of what is deleted or about to be, by which number GitHub restores it;
    `refused`, why the registry has not deleted it.
    """
    gone = [
        {
            "image": each.digest.short,
            "tags": ", ".join(tag[:12] for tag in each.tags),
            "what": "stays" if each.digest in refused else f"goes, with {len(each.parts)} parts",
            "why": _why(each, refused) + _restored_by(each, restored_by),
        }
        for each in plan.deletions
    ]
    kept = [
        {"image": digest.short, "tags": "", "what": "stays", "why": why}
        for digest, why in sorted(plan.kept.items())
    ]
    return [*gone, *kept]


async def report_plan(
    plan: Plan,
    done: str = "",
    restored_by: Mapping[Digest, str] = NOTHING,
    refused: Mapping[Digest, str] = NOTHING,
) -> None:
    """Leave the plan as a table; the others when it is applied, `done` so far."""
    applied = f", applied: {done}" if done else ""
    description = f"plan {plan.hash} for {plan.repository}{applied}"
    rows = plan_rows(plan, restored_by, refused)
    await leave_table(plan_key(plan.repository), rows, description)


def what_was_done(deleted: int, refused: int) -> str:
    """How a plan ended, for people."""
    kept = f", {refused} stay, which the registry refuses to delete" if refused else ""
    return f"{deleted} manifests deleted{kept}"


def plan_key(repository: str) -> str:
    """The table's key: no two repositories share one, as Prefect takes only a-z, 0-9 and dashes."""
    told = re.sub("[^a-z0-9]+", "-", repository.lower())
    return f"prune-{told}-{hashlib.sha256(repository.encode()).hexdigest()[:8]}"


def _why(deletion: Deletion, refused: Mapping[Digest, str]) -> str:
    if deletion.digest in refused:
        return f"the registry has not deleted it ({refused[deletion.digest]})"
    before = f"; the registry refused it on {deletion.refused}" if deletion.refused else ""
    return f"nobody needs it; about {deletion.bytes // 2**20} MiB{before}"


def _restored_by(deletion: Deletion, restored_by: Mapping[Digest, str]) -> str:
    numbers = [
        restored_by[each] for each in (deletion.digest, *deletion.parts) if each in restored_by
    ]
    return f"; restored by version {', '.join(numbers)}" if numbers else ""

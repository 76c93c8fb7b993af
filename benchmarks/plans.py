"""Pruning's plan: how what it takes to decide grows with the tags of a repository."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from benchmarks.growing import Growth
from benchmarks.rows import Row
from benchmarks.samples import Sample, Side, Stopwatch
from benchmarks.world import World
from slipway.domain.image import Digest
from slipway.domain.inventory import Contents, Inventory
from slipway.domain.retention import InUse, Policy, plan_retention

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OLD = NOW - timedelta(days=365)
PLATFORMS = 2


async def measure(_: World | None, rounds: int) -> list[Row]:
    """Needs no sandbox: a plan is decided on what was read."""
    return await Growth(
        "growth-plan",
        "decide which images of a repository may go",
        "tags",
        (100, 1_000, 10_000),
        prepare,
        1.3,
        f"each an index of {PLATFORMS} platforms, none of which anybody needs; without reading "
        "them",
    ).measure(rounds)


async def prepare(size: int) -> Mapping[str, Side]:
    """A repository of indices."""
    held = _inventory(size)
    used = InUse(born=dict.fromkeys(held.tags, OLD))

    async def ours(_: int) -> Sample:
        watch = Stopwatch()
        plan = plan_retention(held, used, Policy(), NOW)
        sample = watch.sample()
        if len(plan.deletions) + plan.left_for_later != size:
            raise RuntimeError(f"of {size} images that may go, the plan has {len(plan.deletions)}")
        return sample

    return {"ours": ours}


def _inventory(size: int) -> Inventory:
    contents: dict[Digest, Contents] = {}
    for number in range(size):
        index = _digest(0, number)
        parts = [_digest(1 + each, number) for each in range(PLATFORMS)]
        contents[index] = Contents(index, tuple(parts))
        contents |= {
            part: Contents(part, config=_digest(1 + PLATFORMS + place, number))
            for place, part in enumerate(parts)
        }
    tags = {f"{number:040x}": _digest(0, number) for number in range(size)}
    return Inventory("ghcr.io/acme/shop/adapter", tags, contents)


def _digest(kind: int, number: int) -> Digest:
    return Digest(f"sha256:{kind:04x}{number:060x}")

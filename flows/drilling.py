"""What a drill does, in which order: everything that a rollback does before it changes anything.

The way back is chosen, looked at and previewed by the rollback's own functions, and pulled with the
pull secret's credentials; neither ESC nor the stack nor the cluster is written to.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace

from slipway.domain.acceptance import Published, acceptable
from slipway.domain.candidate import Outlook
from slipway.domain.commit import Commit
from slipway.domain.drill import Drill, Result
from slipway.domain.image import ImageReference, PublishedImage
from slipway.domain.workloads import Workloads
from slipway.errors import DeploymentUnfit, PermanentError, PullSecretUnusable, TransientError
from slipway.ports import Ports
from slipway.tasks.asking import Together
from slipway.tasks.measuring import measure_updates
from slipway.tasks.preflight import at_work, require_owned
from slipway.tasks.pull_secrets import why_not_told
from slipway.tasks.pulling import try_pull
from slipway.tasks.rehearsing import look_ahead
from slipway.tasks.ways_back import default_way_back, surroundings, was_ever_left

Took = list[tuple[str, float]]
NOTHING_YET = (
    "nothing was proven live before what is there now; the next release makes a way back of it"
)


async def drill(ports: Ports) -> Drill:
    """Try the default rollback of one target as far as it goes without touching production."""
    target = ports.target
    if holder := await at_work(ports):
        return Drill(target.name, Result.NOT_TRIED, holder)
    took: Took = []
    found = Drill(target.name, Result.WORKS, "", updates=await measure_updates(ports))
    try:
        if (way := await _choose(ports, took)) is None:
            return replace(found, result=Result.NOTHING_YET, why=NOTHING_YET, took=took)
        found, image = replace(found, to=way[0]), way[1]
        seen = await _observe(ports)
        not_told = await _pull(ports, seen, image, took)
        with _timed(took, "preview"):
            outlook = await look_ahead(ports, way)
    except TransientError as error:
        return replace(found, result=Result.NOT_TRIED, why=str(error), took=took)
    except PermanentError as error:
        if holder := await at_work(ports):
            return replace(found, result=Result.NOT_TRIED, why=f"{holder} since", took=took)
        return replace(found, result=Result.FAILS, why=f"{error.code}: {error}", took=took)
    why = f"{image.digest} can be pulled, and the preview changes only the image"
    if not_told:
        found = replace(found, result=Result.NOT_TOLD)
        why = f"whether nodes can pull {image.digest}: {not_told}; all else would work"
    return _judged(replace(found, why=why, took=took, outlook=outlook), outlook)


def _judged(found: Drill, outlook: Outlook) -> Drill:
    if outlook.waits_for or outlook.passing:
        why = outlook.waits_for or outlook.refusal
        return replace(found, result=Result.NOT_TRIED, why=why)
    if outlook.refusal:
        return replace(found, result=Result.FAILS, why=outlook.refusal)
    return found


async def _choose(ports: Ports, took: Took) -> tuple[Commit, PublishedImage] | None:
    with _timed(took, "choose the way back"):
        there = await surroundings(ports)
        if not await was_ever_left(ports, there):
            return None
        commit, image = await default_way_back(ports, there)
        found = Published(image.repository, commit, image.digest, image)
        return commit, acceptable(found, there)


async def _observe(ports: Ports) -> Workloads:
    seen = await ports.cluster.observe(ports.target.workload)
    if seen is None:
        raise DeploymentUnfit(
            f"there is no {ports.target.workload} to roll back: correct the target, or deploy with "
            "--first"
        )
    await require_owned(ports, seen)
    return seen


async def _pull(ports: Ports, seen: Workloads, image: PublishedImage, took: Took) -> str:
    """Pull it; where only nodes could, and pods show that they do, why that can't be told."""
    with _timed(took, "pull with the pull secret"):
        reference = ImageReference(image.repository, digest=image.digest)
        async with Together() as together:
            pulls = await try_pull(ports, together, seen, reference)
    if any(not each.problem and not each.missing for each in pulls):
        return ""
    if all(each.rejected and not each.secret for each in pulls) and (
        not_told := await why_not_told(ports, seen, reference)
    ):
        return not_told
    why = "; ".join(each.problem or each.missing for each in pulls)
    raise PullSecretUnusable(
        f"{reference} can't be pulled whole with the pull secrets of {seen}: {why}; see "
        f"slipway doctor {ports.target.name}"
    )


@contextlib.contextmanager
def _timed(took: Took, name: str) -> Iterator[None]:
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        yield
    finally:
        took.append((name, clock() - began))

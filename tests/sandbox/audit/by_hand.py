"""What people do past Slipway: push an image of their own, write it into ESC, run `pulumi up`."""

import asyncio
from collections.abc import Mapping

from slipway.domain.commit import Commit
from slipway.domain.image import Digest
from slipway.domain.publication import REVISION_LABEL
from slipway.domain.release import Release
from tests.sandbox.audit.looking import repository
from tests.sandbox.audit.manifests import put_variant
from tests.sandbox.releases.real_world import RealWorld


async def variant(
    world: RealWorld,
    like: Release,
    tag: Commit,
    labels: Mapping[str, str] | None = None,
    architecture: str = "amd64",
) -> Digest:
    """Somebody's image of a commit: it does what a release's image does, and says this of itself.

    An empty label is none.
    """
    said = {REVISION_LABEL: tag.sha, **(labels or {})}
    kept = {name: value for name, value in said.items() if value}
    path = await repository(world)
    assert like.digest is not None
    return await asyncio.to_thread(
        put_variant, world.box, path, like.digest, tag.sha, kept, architecture
    )


async def apply_by_hand(world: RealWorld, image: str) -> None:
    """Somebody writes another image into ESC, and runs `pulumi up`."""
    now = await world.value()
    assert now is not None
    await asyncio.to_thread(world.esc.edit, lambda text: text.replace(now, image))
    await asyncio.to_thread(world.operator.up)

"""Releases in the benchmarks' own process."""

from benchmarks.world import World
from flows import deploy
from slipway.domain.release import Kind, Release, Request, State
from slipway.ports import Ports


async def released(world: World, commit: str, ports: Ports) -> Release:
    """Deploy a commit to its end, whatever that is; the ports are closed then."""
    outcome = await deploy.release(ports, Request(Kind.DEPLOY, commit, "bench", why="bench"))
    await world.close()
    return outcome.release


async def deployed(world: World) -> None:
    """Deploy a new commit, which must go live."""
    require_live(await released(world, world.commit(), world.ports()))


def require_live(release: Release) -> None:
    """An error unless it has ended live."""
    if release.state is not State.LIVE:
        raise RuntimeError(f"not live but {release.state}: {release.reason}")

"""Which keys of an ESC environment name images, although no target has them and nothing reads them.

Only all targets that there are tell together whose a key is.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from slipway.domain.auditing.picture import NotAsked
from slipway.domain.auditing.strays import stray_keys
from slipway.domain.target import ConfigKey
from slipway.ports import Ports, Stack
from slipway.tasks.asking import Together
from slipway.tasks.source_once import SourceOnce


async def find_unread(
    ports: Ports, registered: Sequence[Ports] | None, together: Together
) -> Mapping[ConfigKey, str] | NotAsked | None:
    """Key → the image that it names; None where another target of the environment has it.

    Programs are looked at only where there is such a key: most environments have none.
    """
    if registered is None:
        return NotAsked("not all targets were looked at")
    environment = ports.target.config_key.environment_name
    sharing = [each for each in registered if _environment(each) == environment]
    if sharing[0].target.name != ports.target.name:
        return None
    values = await ports.config.plain_values(ports.target.config_key)
    strays = stray_keys(
        values, [each.target for each in sharing], [each.target for each in registered]
    )
    if not strays:
        return strays
    programs = {tree: stack async for tree, stack in _programs(sharing, together)}
    return {
        key: value
        for key, value in strays.items()
        if not any([await stack.mentions(tree, key) for tree, stack in programs.items()])
    }


def _environment(ports: Ports) -> str:
    return ports.target.config_key.environment_name


async def _programs(
    sharing: Sequence[Ports], together: Together
) -> AsyncIterator[tuple[Path, Stack]]:
    """The checkouts that may read the environment: of every target's branch."""
    for each in sharing:
        once = replace(each, source=SourceOnce(each.source, together))
        await together.fetched(once)
        head = await once.source.head(each.target.branch)
        yield await together.tree(once, head), each.stack

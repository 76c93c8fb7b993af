"""What clusters, environments and stacks name while a plan is carried out.

People and other programs hold no lease. What has not changed since costs one small request.
"""

import functools
from collections.abc import AsyncIterator, Mapping, Sequence

from slipway.domain.image import named
from slipway.ports import IN_PROGRESS, Ports
from slipway.tasks.asking import Together, each_of
from slipway.tasks.policies import repeatable

AT_ONCE = 8

Marks = Mapping[str, str]
"""Environment or stack → what differs once it has changed; empty while it is changing."""


@repeatable("mark what may change meanwhile")
async def read_marks(every: Sequence[Ports]) -> Marks:
    """To be read before what is in use is: what changes in between is looked at again."""
    async with Together() as together:
        return await _marks(every, together)


@repeatable("look what is named now")
async def look_at_names(every: Sequence[Ports], before: Marks) -> tuple[Mapping[str, str], Marks]:
    """Every digest and commit that anybody names now, with who does; and the marks as they are now.

    Clusters and holds are looked at as a whole; environments, with all their revisions, and stacks
    where their marks differ.
    """
    async with Together() as together:
        marks = await _marks(every, together)
        changed = {each for each, mark in marks.items() if not mark or before.get(each) != mark}
        found: dict[str, str] = {}
        async for text, who in _texts(every, together, changed):
            for name in named(text):
                found.setdefault(name, who)
    return found, marks


async def _marks(every: Sequence[Ports], together: Together) -> Marks:
    found = await each_of(every, lambda ports: _marks_of(ports, together), AT_ONCE)
    return {name: mark for each in found for name, mark in each.items()}


async def _marks_of(ports: Ports, together: Together) -> Marks:
    key, stack = ports.target.config_key, str(ports.target.stack)
    configured = await together.once(
        "environment", key.environment_name, functools.partial(ports.config.read, key)
    )
    updates = await together.once("updates", stack, functools.partial(ports.stack.history, 1))
    moving = any(each.result == IN_PROGRESS for each in updates)
    return {
        _environment(ports): configured.etag,
        f"stack {stack}": "" if moving else repr(updates),
    }


async def _texts(
    every: Sequence[Ports], together: Together, changed: set[str]
) -> AsyncIterator[tuple[str, str]]:
    for ports in every:
        for text in await together.once("images", ports.cluster, ports.cluster.images):
            yield text, "the cluster has it"
        for hold in await ports.ledger.holds(ports.target.name):
            if hold.about is not None:
                yield hold.about.sha, f"hold {hold.number} is about it"
        if (environment := _environment(ports)) in changed:
            configured = await ports.config.history(ports.target.config_key)
            for text in configured.values | configured.names:
                yield text, f"{environment} names it"
        if (stack := f"stack {ports.target.stack}") in changed:
            state = await together.once("state", stack, ports.stack.state)
            for deployment in state.deployments:
                for text in deployment.images.values():
                    yield text, f"{stack} records it"


def _environment(ports: Ports) -> str:
    return f"ESC environment {ports.target.config_key.environment_name}"

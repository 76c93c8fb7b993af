"""From a target's name to its ports, by the blocks that `slipway register` has saved."""

import contextlib
from collections.abc import AsyncIterator, Sequence

from prefect.client.orchestration import get_client
from pydantic import ValidationError

from blocks.clients import Shared, build_ports
from blocks.prefect_blocks import DeployTarget
from blocks.settings import TargetSettings
from slipway.errors import InvalidInput
from slipway.ports import Ports


@contextlib.asynccontextmanager
async def connected(name: str, shared: Shared | None = None) -> AsyncIterator[Ports]:
    """The ports of a registered target; `InvalidInput` names the targets there are."""
    ports = build_ports(await load_target(name), load_target, shared)
    try:
        yield ports
    finally:
        await ports.close()


@contextlib.asynccontextmanager
async def all_connected(names: Sequence[str] = ()) -> AsyncIterator[list[Ports]]:
    """The ports of these targets; of every registered one where none is named."""
    async with contextlib.AsyncExitStack() as stack:
        chosen, shared = names or await registered(), Shared()
        yield [await stack.enter_async_context(connected(name, shared)) for name in chosen]


async def load_target(name: str) -> TargetSettings:
    """A registered target's settings, with its places."""
    try:
        found = await DeployTarget.aload(name)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
        )
        raise InvalidInput(
            f"the blocks of target {name!r} can't be used: {wrong}; correct slipway.toml and run "
            "slipway register"
        ) from error
    except ValueError as error:  # Prefect's answer to a name that it does not know
        listed = ", ".join(await registered()) or "none"
        raise InvalidInput(
            f"no target {name!r} is registered; registered are: {listed}; add it to slipway.toml "
            "and run slipway register"
        ) from error
    return found


async def registered() -> list[str]:
    """The names of the targets that `slipway register` has saved."""
    slug = DeployTarget.get_block_type_slug()
    async with get_client() as client:
        documents = await client.read_block_documents_by_type(slug)
    return sorted(each.name for each in documents if each.name)

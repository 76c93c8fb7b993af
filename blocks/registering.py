"""Saves targets, and the places they name, as documents in a Prefect server."""

from collections.abc import Mapping, Sequence

import httpx
from prefect.blocks.core import Block
from prefect.exceptions import PrefectException

from blocks.prefect_blocks import (
    DeployTarget,
    DockerEngine,
    GitRepository,
    KubernetesCluster,
    PulumiCredentials,
    RegistryCredentials,
)
from blocks.settings import TargetSettings
from slipway.errors import Unreachable

PLACES: dict[str, type[Block]] = {
    "repository": GitRepository,
    "registry": RegistryCredentials,
    "pulumi": PulumiCredentials,
    "cluster": KubernetesCluster,
    "docker": DockerEngine,
}
"""A target's field → the block that it refers to."""


async def save_targets(targets: Sequence[tuple[TargetSettings, Mapping[str, str]]]) -> None:
    """Save targets, each with its places' names by field; a place in common is saved once.

    May be done again.
    """
    saved: dict[tuple[str, str], Block] = {}
    try:
        for settings, names in targets:
            for place in names.items():
                if place not in saved:
                    saved[place] = await _save_place(settings, *place)
            values = {name: getattr(settings, name) for name in type(settings).model_fields}
            places = {field: saved[field, name] for field, name in names.items()}
            await DeployTarget(**(values | places)).asave(settings.name, overwrite=True)
    except (httpx.HTTPError, PrefectException) as error:
        raise _server_trouble(error) from error


async def _save_place(settings: TargetSettings, field: str, name: str) -> Block:
    values = getattr(settings, field)
    block = PLACES[field](**{each: getattr(values, each) for each in type(values).model_fields})
    await block.asave(name, overwrite=True)
    return block


def _server_trouble(error: Exception) -> Unreachable:
    return Unreachable(
        f"the Prefect server did not do what was asked: {type(error).__name__} {error}; check "
        "PREFECT_API_URL and `prefect server status`"
    )

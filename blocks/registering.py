"""Saves targets, and the places they name, as documents in a Prefect server."""

from collections.abc import Mapping, Sequence

from prefect.blocks.core import Block

from blocks.prefect_blocks import (
    DeployTarget,
    DockerEngine,
    GitRepository,
    KubernetesCluster,
    PulumiCredentials,
    RegistryCredentials,
)
from blocks.settings import TargetSettings

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
    for settings, names in targets:
        for place in names.items():
            if place not in saved:
                saved[place] = await _save_place(settings, *place)
        values = {name: getattr(settings, name) for name in type(settings).model_fields}
        places = {field: saved[field, name] for field, name in names.items()}
        await DeployTarget(**(values | places)).asave(settings.name, overwrite=True)


async def _save_place(settings: TargetSettings, field: str, name: str) -> Block:
    values = getattr(settings, field)
    block = PLACES[field](**{each: getattr(values, each) for each in type(values).model_fields})
    await block.asave(name, overwrite=True)
    return block

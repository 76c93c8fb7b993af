"""Keys of an ESC environment that name images like those of its targets, and are no target's."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from slipway.domain.auditing.picture import reference_of
from slipway.domain.image import ImageReference
from slipway.domain.target import ConfigKey, Target

_NAME = re.compile("[A-Za-z0-9_.:-]+")
"""What a program can ask for by its name, and a person can type."""


def stray_keys(
    values: Mapping[str, str], sharing: Sequence[Target], registered: Iterable[Target]
) -> Mapping[ConfigKey, str]:
    """Keys → the image that each names; `sharing` are all targets of the environment.

    Only of their projects: what another project has here is nothing that we know the readers of.
    """
    own = {each.config_key.key for each in sharing}
    projects = {each.stack.project for each in sharing}
    repositories = {each.service.repository for each in registered}
    owners = {_owner(each.service.repository) for each in sharing}
    environment = sharing[0].config_key
    found: dict[ConfigKey, str] = {}
    for key, value in values.items():
        project, _, name = key.partition(":")
        image = reference_of(value)
        if key in own or project not in projects or not _NAME.fullmatch(name) or image is None:
            continue
        if image.repository in repositories or _owner(image.repository) in owners:
            found[replace(environment, key=key)] = value
    return found


def _owner(repository: str) -> str:
    """Host and organization; where the registry has none, the host."""
    image = ImageReference(repository)
    first, slash, _ = image.path.partition("/")
    return f"{image.host}/{first}" if slash else image.host

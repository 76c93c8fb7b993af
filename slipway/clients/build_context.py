"""The build context that the engine gets: a tar of what the ignore file leaves, and no more."""

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from slipway.domain.build_inputs import ignore_path
from slipway.domain.dockerignore import IgnoreRules
from slipway.domain.target import Service
from slipway.errors import BuildFailed

OUTSIDE_DOCKERFILE = ".slipway.Dockerfile"
"""Under which name a Dockerfile from outside the context is put into it."""


def write_context(tree: Path, service: Service, out: BinaryIO) -> str:
    """Write the service's context as a tar; the Dockerfile's name in it.

    Links go in as links and are never followed, so nothing from outside the checkout gets in.
    """
    context = _inside(tree, service.context_path)
    dockerfile = _inside(tree, service.dockerfile_path)
    if not context.is_dir():
        raise BuildFailed(
            f"build context {service.context_path}/ of {service.name} is not a folder at this "
            "commit: correct the service's context"
        )
    if not dockerfile.is_file():
        raise BuildFailed(
            f"{service.dockerfile_path} of {service.name} does not exist at this commit: correct "
            "the service's Dockerfile, or choose a commit that has it"
        )
    name = _name_in(context, dockerfile)
    # GNU format: BuildKit does not read the PAX headers that are Python's default.
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in visible_files(tree, service):
            tar.add(context / path, path, recursive=False, filter=_anonymous)
        # Twice in the tar does no harm, and an ignored Dockerfile must still reach the engine.
        tar.add(dockerfile, name, recursive=False, filter=_anonymous)
    return name


def visible_files(tree: Path, service: Service) -> Iterator[str]:
    """The context's files and empty-able folders that the ignore file leaves, sorted."""
    context = _inside(tree, service.context_path)
    ignore = _inside(tree, ignore_path(service))
    rules = IgnoreRules.parse(ignore.read_text("utf-8") if ignore.is_file() else "")
    for folder, folders, files in os.walk(context):
        folders.sort()
        inside = Path(folder).relative_to(context)
        links = [each for each in folders if (Path(folder) / each).is_symlink()]
        for name in sorted([*files, *links]):
            path = (inside / name).as_posix()
            if not rules.hides(path):
                yield path


def _inside(tree: Path, path: str) -> Path:
    """A path in the checkout, refused where it or a link on its way leads out of it."""
    found = (tree / path).resolve()
    if not found.is_relative_to(tree.resolve()):
        raise BuildFailed(
            f"{path} leads out of the checkout: correct the service's folder, context and "
            "Dockerfile, or the link in the repository"
        )
    return found


def _name_in(context: Path, dockerfile: Path) -> str:
    if dockerfile.is_relative_to(context):
        return dockerfile.relative_to(context).as_posix()
    return OUTSIDE_DOCKERFILE


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """The same owner wherever the checkout was made, so that layers are found again."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry

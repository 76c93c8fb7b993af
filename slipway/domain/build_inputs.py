"""The build-inputs id: equal for two commits exactly when their builds can see the same things."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from slipway.domain.dockerfile import WHOLE_CONTEXT, sources
from slipway.domain.dockerignore import IgnoreRules, translate
from slipway.domain.target import Service

SYMLINK = "120000"
_FORMAT = 1
"""Grows when the meaning of the id changes, so that old and new ids never look equal."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file of a commit's tree: its mode and the id of its content."""

    mode: str
    blob: str


Tree = Mapping[str, TreeEntry]
"""Every file of a commit by its path from the repository's root."""


def ignore_path(service: Service) -> str:
    """Where the service's ignore file would stand."""
    return _inside(service.context_path, ".dockerignore")


def build_inputs_id(tree: Tree, service: Service, dockerfile: str, ignore: str) -> str:
    """The id, from the commit's whole tree and the texts of Dockerfile and ignore file.

    Git's attribute files count too: they change what a checkout writes into the other files.
    """
    named = {path: tree.get(path) for path in (service.dockerfile_path, ignore_path(service))} | {
        path: tree[path] for path in tree if path.split("/")[-1] == ".gitattributes"
    }
    seen = visible(tree, service, ignore)
    if not any(entry.mode == SYMLINK for entry in seen.values()):
        # A link may lead a COPY to where its text does not.
        seen = reached(seen, sources(dockerfile))
    content = {
        "format": _FORMAT,
        "platform": service.platform,
        "context": service.context_path,
        "arguments": sorted(service.build_arguments),
        "named": _listed(named),
        "files": _listed(seen),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def visible(tree: Tree, service: Service, ignore: str) -> dict[str, TreeEntry]:
    """The files of the build context after the ignore file, by their path inside the context."""
    rules = IgnoreRules.parse(ignore)
    prefix = _inside(service.context_path, "")
    inside = {
        path.removeprefix(prefix): entry for path, entry in tree.items() if path.startswith(prefix)
    }
    return {path: entry for path, entry in inside.items() if not rules.hides(path)}


def reached(files: Tree, named: Iterable[str]) -> dict[str, TreeEntry]:
    """The files that one of the sources names, itself or by a folder that it lies in."""
    sources_named = frozenset(named)
    if WHOLE_CONTEXT in sources_named:
        return dict(files)
    patterns = [translate(each, doublestar=False) for each in sources_named]
    return {
        path: entry
        for path, entry in files.items()
        if any(pattern.fullmatch(each) for pattern in patterns for each in _prefixes(path))
    }


def _listed(entries: Mapping[str, TreeEntry | None]) -> list[tuple[str, str, str]]:
    return sorted(
        (path, entry.mode, entry.blob) if entry else (path, "", "")
        for path, entry in entries.items()
    )


def _inside(folder: str, name: str) -> str:
    cleaned = folder.strip("/")
    return name if cleaned in {"", "."} else f"{cleaned}/{name}"


def _prefixes(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]

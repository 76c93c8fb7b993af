"""A stack's own file, `Pulumi.<stack>.yaml`: what it sets, and a copy that holds one value more."""

import re
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from slipway.clients.esc_definition import inserted, replaced
from slipway.domain.target import ConfigKey
from slipway.errors import ConfigKeyUnusable, StackUnusable

_CONFIG = ("config",)
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's is ten times as fast; PyYAML is built without it in places."""
_STACK_FILES = "Pulumi.*.yaml"
_PROSE = frozenset({".md", ".rst", ".txt"})
_LARGEST_SOURCE = 1_000_000
_EMPTY_CONFIG = re.compile(r"^config:[ \t]*(\{[ \t]*\}|null|~)?[ \t]*(#.*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class StackFile:
    """The stack file of a checkout, as text and as data."""

    path: Path
    project: str
    text: str
    content: dict[str, Any]

    def shadow(self, key: ConfigKey) -> str | None:
        """What the file itself sets for the key, which wins over ESC; None if it sets nothing."""
        own = self.content.get("config")
        inline = self.content.get("environment")
        values = inline.get("values") if isinstance(inline, dict) else None
        theirs = values.get("pulumiConfig") if isinstance(values, dict) else None
        for config in (own, theirs):
            for name in self._spellings(key):
                if isinstance(config, dict) and name in config:
                    value = config[name]
                    return "[secret]" if isinstance(value, dict) else str(value)
        return None

    def spelling(self, key: ConfigKey) -> str:
        """How the file names the key's environment among its imports.

        `StackUnusable` when it does not import it, or only at a version of its own choice.
        """
        for name in self._imports():
            environment, _, version = name.partition("@")
            if _full_name(environment) != f"{key.project}/{key.environment}":
                continue
            if version:
                raise StackUnusable(
                    f"{self.path.name} imports {name}, so that a pin in {key.environment_name} "
                    f"never gets there: import {environment} without a version"
                )
            return environment
        raise StackUnusable(
            f"{self.path.name} does not import ESC environment {key.environment_name}: add "
            f"{key.project}/{key.environment} under `environment:`",
            lacks_import=True,
        )

    def with_value(self, key: ConfigKey, value: str) -> str:
        """The file's text with a value for the key, which then beats ESC."""
        change = inserted if self.shadow(key) is None else replaced
        if not self.content.get("config"):
            rest = _EMPTY_CONFIG.sub("", self.text).rstrip()
            return f"{rest}\nconfig:\n  {key.key}: '{value}'\n"
        try:
            return change(self.text, key.key, value, _CONFIG)
        except ConfigKeyUnusable as error:
            raise StackUnusable(f"{self.path.name}: {error}") from error

    def _imports(self) -> list[str]:
        declared = self.content.get("environment")
        if isinstance(declared, dict):
            declared = declared.get("imports")
        named = declared if isinstance(declared, list) else []
        return [
            str(next(iter(each), "")) if isinstance(each, dict) else str(each) for each in named
        ]

    def _spellings(self, key: ConfigKey) -> tuple[str, ...]:
        """Pulumi reads a name without a namespace as one of the project's."""
        namespace, _, name = key.key.partition(":")
        return (key.key, name) if namespace == self.project else (key.key,)


def read_stack_file(program: Path, stack: str) -> StackFile:
    """The stack file of the program in this folder; `StackUnusable` when it is not there."""
    project = _read(program / "Pulumi.yaml")[1].get("name", "")
    path = program / f"Pulumi.{stack}.yaml"
    text, content = _read(path)
    return StackFile(path, str(project), text, content)


def mentions(tree: Path, key: ConfigKey) -> bool:
    """Whether any file of a checkout names the key, stack files and prose left out.

    A program may be told its keys by a file outside its own folder.
    """
    name = key.key.rpartition(":")[2].encode()
    return any(
        name in path.read_bytes()
        for path in sorted(tree.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and not fnmatch(path.name, _STACK_FILES)
        and path.suffix not in _PROSE
        and path.stat().st_size <= _LARGEST_SOURCE
    )


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text()
        content = _parsed(text)
    except FileNotFoundError as error:
        where = f"{path.parent.name}/{path.name}"
        raise StackUnusable(
            f"{where} is not in the commit: correct program and stack of the target"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise StackUnusable(
            f"{path.name} can't be read: {str(error)[:300]}; correct it in a new commit"
        ) from error
    return text, content if isinstance(content, dict) else {}


@lru_cache(maxsize=4)
def _parsed(text: str) -> Any:
    """A program in YAML is one file of every resource there is, which each of its targets needs."""
    return yaml.load(text, _Loader)  # noqa: S506 - one of the safe loaders


def _full_name(environment: str) -> str:
    """An environment named without a project is in the project `default`."""
    return environment if "/" in environment else f"default/{environment}"

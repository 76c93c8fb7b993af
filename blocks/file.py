"""Reads slipway.toml. What is wrong in it is told with file, key, what was seen and what to do."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from blocks.settings import (
    ClusterSettings,
    DockerSettings,
    PulumiSettings,
    RegistrySettings,
    RepositorySettings,
    Settings,
    TargetSettings,
)
from slipway.domain.address import without_credentials
from slipway.domain.redaction import redacted
from slipway.errors import InvalidInput, SlipwayError

PLACES: dict[str, tuple[str, type[Settings]]] = {
    "repository": ("repositories", RepositorySettings),
    "registry": ("registries", RegistrySettings),
    "pulumi": ("pulumi", PulumiSettings),
    "cluster": ("clusters", ClusterSettings),
    "docker": ("docker", DockerSettings),
}
"""A target's key → the table of named places that it chooses from, and what one of them holds."""
SECRETS = frozenset({"token", "password", "kubeconfig_text", "github_token"})
PATHS = frozenset({"url", "cli", "home", "kubeconfig"})
HIDDEN = 80
S = TypeVar("S", bound=Settings)


class SlipwayFile:
    """A slipway.toml: places by their names, and targets that choose among them."""

    def __init__(
        self,
        path: Path,
        environment: Mapping[str, str] = os.environ,
        secrets_of: frozenset[str] | None = None,
    ) -> None:
        """Read the file.

        `secrets_of` names the tables whose secrets are wanted, None all of them: a process gets no
        secret that it does not use, and need not have it in its environment.
        """
        self.path = path
        self._environment = environment
        self._secrets_of = secrets_of
        self._tables = _tables(path)
        known = {table for table, _ in PLACES.values()} | {"targets"}
        for name in self._tables:
            if name not in known:
                raise self._wrong(name, "is not known here", _meant(name, known))

    @property
    def targets(self) -> list[str]:
        """The names of the targets, in the file's order."""
        return list(self._tables.get("targets", {}))

    def target(self, name: str) -> TargetSettings:
        """One target with the places it names, its secrets taken from the environment."""
        key = f"targets.{name}"
        if name not in self.targets:
            listed = ", ".join(self.targets) or "none; add a table [targets.NAME]"
            raise InvalidInput(
                f"{self.path} has no target {name!r}: name one of its targets: {listed}"
            )
        table = dict(self._table("targets", name))
        places = {field: self._place(field, table, key) for field in PLACES}
        settings = self._read(TargetSettings, {**table, **places, "name": name}, key)
        try:
            settings.target()
        except SlipwayError as error:
            raise InvalidInput(f"{self.path}: {key}: {error}") from error
        return settings

    def require_one_mover(self) -> None:
        """Refuse targets that would move one tag main away from each other, deploy by deploy."""
        movers: dict[str, str] = {}
        for name in self.targets:
            table = self._table("targets", name)
            image = str(table.get("image"))
            if not table.get("moves_main", True):
                continue
            if (other := movers.setdefault(image, name)) != name:
                raise InvalidInput(
                    f"{self.path}: targets.{other} and targets.{name} both move the tag main of "
                    f"{image}: set moves_main = false for all of its targets but the one that main "
                    "is to follow"
                )

    def place_of(self, field: str, target: str) -> str:
        """The name of the place that a target uses, by its table: `registry` → `ghcr`."""
        table, _ = PLACES[field]
        named = self._tables.get(table, {})
        key = f"targets.{target}.{field}"
        chosen = self._table("targets", target).get(field)
        if chosen is None and len(named) == 1:
            return str(next(iter(named)))
        listed = ", ".join(named) or f"none; add a table [{table}.NAME]"
        if chosen is None:
            raise self._wrong(key, "is absent", f"name one of [{table}]: {listed}")
        if not isinstance(chosen, str) or chosen not in named:
            raise self._wrong(key, f"is {chosen!r}", f"name one of [{table}]: {listed}")
        return chosen

    def _place(self, field: str, target: dict[str, Any], key: str) -> Settings:
        table, kind = PLACES[field]
        name = self.place_of(field, key.removeprefix("targets."))
        target.pop(field, None)
        return self._read(kind, self._table(table, name), f"{table}.{name}")

    def _table(self, table: str, name: str) -> dict[str, Any]:
        named = self._tables.get(table)
        if not isinstance(named, dict) or not isinstance(named.get(name), dict):
            raise self._wrong(f"{table}.{name}", "is not a table", f"write [{table}.{name}]")
        return dict(named[name])

    def _read(self, kind: type[S], table: Mapping[str, Any], key: str) -> S:
        values = {name: self._value(f"{key}.{name}", name, value) for name, value in table.items()}
        try:
            return kind.model_validate(values)
        except ValidationError as error:
            raise self._invalid(kind, key, error.errors()[0]) from error

    def _value(self, key: str, name: str, value: Any) -> Any:
        if name in SECRETS:
            wanted = self._secrets_of is None or key.partition(".")[0] in self._secrets_of
            return self._secret(key, value) if wanted else SecretStr("")
        if name in PATHS and isinstance(value, str) and value.startswith(("./", "../", "~/")):
            return str((self.path.parent / Path(value).expanduser()).resolve())
        return value

    def _secret(self, key: str, value: Any) -> SecretStr:
        remedy = 'write { environment = "NAME" } or { block = "NAME" } (a Prefect Secret block)'
        match value:
            case {"environment": str(variable), **rest} if not rest:
                if not (found := self._environment.get(variable)):
                    raise self._wrong(key, f"takes {variable}, which is not set", "set it")
                return SecretStr(found)
            case {"block": str(block), **rest} if not rest:
                return _secret_block(block)
            case str():
                raise self._wrong(key, "holds a secret itself", f"never do that: {remedy}")
            case _:
                raise self._wrong(key, "does not say where its secret is", remedy)

    def _invalid(self, kind: type[Settings], key: str, error: ErrorDetails) -> InvalidInput:
        location = ".".join([key, *(str(each) for each in error["loc"])])
        name = str(error["loc"][0]) if error["loc"] else ""
        if error["type"] == "extra_forbidden":
            return self._wrong(location, "is not known here", _meant(name, kind.model_fields))
        field = kind.model_fields.get(name)
        remedy = (field.description if field else None) or "correct it."
        if error["type"] == "missing":
            return self._wrong(location, "is absent", f"add it: {remedy}")
        seen = "***" if name in SECRETS else without_credentials(repr(error["input"]))[:HIDDEN]
        return self._wrong(location, f"is {seen}", f"{error['msg'].lower()}; write {remedy}")

    def _wrong(self, key: str, seen: str, remedy: str) -> InvalidInput:
        return InvalidInput(f"{self.path}: {key} {seen}: {remedy}")


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InvalidInput(
            f"{path} does not exist: copy slipway.example.toml there, or name another file with "
            "--config or SLIPWAY_CONFIG"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path} can't be read: {error}; make it a text file that this user may read"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(
            f"{path} is not TOML: {error}; correct it, slipway.example.toml shows every key"
        ) from error


def _meant(name: str, known: Mapping[str, Any] | set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"known are {', '.join(sorted(known))}"


def _secret_block(name: str) -> SecretStr:
    from prefect.blocks.system import Secret  # noqa: PLC0415 - only who keeps secrets there pays

    try:
        secret = Secret.load(name)
    except Exception as error:  # Prefect raises ValueError, httpx's errors and its own
        raise InvalidInput(
            f"Prefect Secret block {name!r} could not be loaded: {redacted(str(error))}; "
            "check PREFECT_API_URL, and `prefect block ls`"
        ) from error
    if not isinstance(secret, Secret):
        raise TypeError("read slipway.toml before the event loop runs")
    return SecretStr(str(secret.get()))

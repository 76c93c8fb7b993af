"""Evaluates a definition over its imports, as the public evaluator of ESC does for the subset here.

Imports are evaluated on their own and merged in order; the definition's own values lie on top.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.pulumi_cloud.esc.declaration import Declaration, Import, declare
from sandbox.pulumi_cloud.esc.scope import Decrypt, Scope
from sandbox.pulumi_cloud.esc.syntax import Diagnostic, Source
from sandbox.pulumi_cloud.esc.values import Value, merged


class Unloadable(Exception):
    """An import names nothing that can be read; the message says why."""


@dataclass(frozen=True)
class Loaded:
    """An environment's definition and what decrypts its secrets."""

    definition: bytes
    decrypt: Decrypt | None


Load = Callable[[str], Loaded]


class _Pending(enum.Enum):
    """An import whose evaluation is under way."""

    EVALUATING = enum.auto()


@dataclass
class Evaluation:
    """One run over a definition and everything it imports."""

    load: Load
    diagnostics: list[Diagnostic] = field(default_factory=list)
    root: Scope | None = None
    _imported: dict[str, Value | _Pending | None] = field(default_factory=dict)

    def run(self, name: str, loaded: Loaded) -> Value:
        """The environment's value; what is wrong stands in `diagnostics`."""
        self._imported[name] = _Pending.EVALUATING
        source = Source(name, _decoded(loaded.definition), self.diagnostics)
        declaration = declare(source)
        base, imports = self._imports(source, declaration)
        scope = Scope(source, declaration.values, base, imports, loaded.decrypt)
        value = scope.value()
        self.root = scope
        self._imported[name] = value
        return value

    def failed(self) -> bool:
        """Whether any complaint is an error."""
        return any(each.get("severity", "error") != "warning" for each in self.diagnostics)

    def _imports(self, source: Source, declaration: Declaration) -> tuple[Value | None, Value]:
        """What lies under the definition's own values, and what `${imports…}` sees."""
        base: Value | None = None
        seen: dict[str, Value] = {}
        for entry in declaration.imports:
            value = self._import(source, entry)
            if value is None:
                continue
            seen[entry.name] = value
            if entry.merge:
                base = merged(value, base)
        return base, Value(dict(seen))

    def _import(self, source: Source, entry: Import) -> Value | None:
        """One imported environment, evaluated once per run."""
        if entry.name in self._imported:
            known = self._imported[entry.name]
            if isinstance(known, _Pending):
                source.complain(entry.node, f"cyclic import of {entry.name}")
                return None
            return known
        self._imported[entry.name] = None
        try:
            loaded = self.load(entry.name)
        except Unloadable as error:
            source.complain(entry.node, str(error))
            return None
        return self.run(entry.name, loaded)


def _decoded(definition: bytes) -> str:
    """The text; what is no UTF-8 shows as replacement characters."""
    return definition.decode("utf-8", errors="replace")

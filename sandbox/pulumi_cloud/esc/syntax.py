"""A definition's text as YAML nodes, with complaints that point into the text.

Plain scalars mean what they mean to Go's yaml.v3, which reads definitions for the real service:
`yes` is a string, a date is a string.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

Diagnostic = dict[str, Any]
Scalar = str | int | float | bool | None

BOOL, INT, FLOAT, NULL, STRING = (
    f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null", "str")
)
PLAIN_SCALARS = (
    (BOOL, r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (INT, r"[-+]?(?:0|[1-9][0-9_]*|0o?[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+)", "-+0123456789"),
    (FLOAT, r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
)


class _Loader(yaml.SafeLoader):
    """Resolves plain scalars by the table above."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - as PyYAML keeps them


for _tag, _pattern, _first in PLAIN_SCALARS:
    _Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), list(_first))


@dataclass
class Source:
    """One definition: whose it is, its text, and the complaints about it so far."""

    environment: str
    text: str
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def range(self, node: yaml.Node) -> dict[str, Any]:
        """Where a node stands, as ESC tells it; lines and columns count from 1."""
        begin, end = node.start_mark, node.end_mark
        return {
            "environment": self.environment,
            "begin": self._position(begin),
            "end": self._position(end),
        }

    def complain(self, node: yaml.Node, summary: str, severity: str = "error") -> None:
        """Something about a node is wrong."""
        found = {"summary": summary, "severity": severity, "range": self.range(node)}
        if found not in self.diagnostics:
            self.diagnostics.append(found)

    def complain_about_text(self, summary: str, mark: Any) -> None:
        """The text is no YAML."""
        found: Diagnostic = {"summary": summary, "severity": "error"}
        if mark is not None:
            at = self._position(mark)
            found["range"] = {"environment": self.environment, "begin": at, "end": at}
        self.diagnostics.append(found)

    def _position(self, mark: Any) -> dict[str, int]:
        """A mark, with its offset in bytes."""
        # Counted only where it must be: it takes as long as the text is, for every node.
        ascii_only = self.text.isascii()
        byte = mark.index if ascii_only else len(self.text[: mark.index].encode())
        return {"line": mark.line + 1, "column": mark.column + 1, "byte": byte}


def compose(source: Source) -> yaml.Node | None:
    """The document's root node; None for an empty document or one with complaints."""
    try:
        if _has_aliases(source):
            return None
        root: yaml.Node | None = yaml.compose(source.text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        source.complain_about_text(f"yaml: {error.problem or error}", error.problem_mark)
        return None
    except yaml.YAMLError as error:
        source.complain_about_text(f"yaml: {error}", None)
        return None
    if root is not None:
        _require_string_keys(source, root)
    return None if source.diagnostics else root


def scalar(node: yaml.Node) -> Scalar:
    """The value of a literal."""
    text = node.value
    if node.tag == NULL:
        return None
    if node.tag == BOOL:
        return bool(text.lower() == "true")
    if node.tag == INT:
        return _integer(text.replace("_", ""))
    if node.tag == FLOAT:
        return float(text.replace("_", ""))
    return str(text)


def entries(node: yaml.MappingNode) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    """The keys and values of a mapping whose keys are strings."""
    return [(key, value) for key, value in node.value]


def _integer(text: str) -> int:
    """An integer in any of YAML's bases; a leading zero alone means octal, as for yaml.v3."""
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    if digits.startswith("0") and digits[1:].isdecimal():
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def _has_aliases(source: Source) -> bool:
    """Whether the text uses aliases, which ESC refuses."""
    found = False
    for event in yaml.parse(source.text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            source.complain_about_text("alias nodes are not supported", event.start_mark)
            found = True
    return found


def _require_string_keys(source: Source, node: yaml.Node) -> None:
    """Complain about keys that are no strings, at any depth."""
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _require_string_keys(source, child)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or not isinstance(scalar(key), str):
                source.complain(key, "mapping keys must be strings")
            _require_string_keys(source, value)

"""What expressions evaluate to, and how that travels as JSON."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Plain = None | bool | int | float | str | list["Value"] | dict[str, "Value"]


@dataclass(frozen=True)
class Value:
    """A value that may be secret or, while checking, unknown; `base` is what it was merged over."""

    plain: Plain
    secret: bool = False
    unknown: bool = False
    range: Mapping[str, Any] = field(default_factory=dict)
    base: "Value | None" = None

    def property(self, key: str) -> "Value | None":
        """A member of an object."""
        return self.plain.get(key) if isinstance(self.plain, dict) else None

    def holds_secret(self) -> bool:
        """Whether any part is secret."""
        return any(each.secret for each in self._parts())

    def holds_unknown(self) -> bool:
        """Whether any part is unknown."""
        return any(each.unknown for each in self._parts())

    def as_secret(self) -> "Value":
        """The same, with every part secret."""
        plain = self.plain
        if isinstance(plain, dict):
            plain = {key: each.as_secret() for key, each in plain.items()}
        elif isinstance(plain, list):
            plain = [each.as_secret() for each in plain]
        return replace(self, plain=plain, secret=True)

    def to_data(self) -> Any:
        """Plain data without marks."""
        if isinstance(self.plain, dict):
            return {key: each.to_data() for key, each in sorted(self.plain.items())}
        if isinstance(self.plain, list):
            return [each.to_data() for each in self.plain]
        return "[unknown]" if self.unknown else self.plain

    def to_text(self) -> str:
        """As it appears inside an interpolated string."""
        plain = self.plain
        if isinstance(plain, dict):
            pairs = sorted(plain.items())
            return ",".join(f"{_quoted(key)}={_quoted(each.to_text())}" for key, each in pairs)
        if isinstance(plain, list):
            return ",".join(_quoted(each.to_text()) for each in plain)
        if plain is None:
            return ""
        return plain if isinstance(plain, str) else json.dumps(plain)

    def to_json(self) -> dict[str, Any]:
        """As clients read it: `{value, secret?, unknown?, trace}` at every level."""
        plain: Any = self.plain
        if isinstance(plain, dict):
            plain = {key: each.to_json() for key, each in plain.items()}
        elif isinstance(plain, list):
            plain = [each.to_json() for each in plain]
        trace: dict[str, Any] = {"def": self.range or NOWHERE}
        if self.base is not None:
            trace["base"] = self.base.to_json()
        answer: dict[str, Any] = {"value": plain, "trace": trace}
        return answer | {mark: True for mark in ("secret", "unknown") if getattr(self, mark)}

    def _parts(self) -> Iterator["Value"]:
        """This value and all it holds."""
        yield self
        members: list[Value] = []
        if isinstance(self.plain, dict):
            members = list(self.plain.values())
        elif isinstance(self.plain, list):
            members = self.plain
        for member in members:
            yield from member._parts()  # noqa: SLF001 - its own kind


NOWHERE = {
    "environment": "",
    "begin": {"line": 0, "column": 0, "byte": 0},
    "end": {"line": 0, "column": 0, "byte": 0},
}


def from_data(data: Any, where: Mapping[str, Any]) -> Value:
    """Plain data as a value."""
    if isinstance(data, dict):
        return Value({key: from_data(each, where) for key, each in data.items()}, range=where)
    if isinstance(data, list):
        return Value([from_data(each, where) for each in data], range=where)
    return Value(data, range=where)


def merged(top: Value, base: Value | None) -> Value:
    """A value over another: objects merge deeply, anything else replaces."""
    if base is None:
        return top
    if isinstance(top.plain, dict) and isinstance(base.plain, dict):
        members = dict(base.plain)
        for key, each in top.plain.items():
            members[key] = merged(each, base.plain.get(key))
        return replace(top, plain=members, base=base)
    return replace(top, base=base)


def _quoted(text: str) -> str:
    """A string with its quotes."""
    return json.dumps(text, ensure_ascii=False)

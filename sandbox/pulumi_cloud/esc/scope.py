"""Evaluates the values of one environment; references are followed when they are met."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import yaml

from sandbox.pulumi_cloud.esc.functions import FUNCTIONS, PREFIX, Failure
from sandbox.pulumi_cloud.esc.interpolation import Accessor, Part, parse
from sandbox.pulumi_cloud.esc.syntax import Source, entries, scalar
from sandbox.pulumi_cloud.esc.values import Value, merged

Decrypt = Callable[[str], str]


@dataclass(frozen=True)
class Place:
    """A node together with what it is merged over."""

    node: yaml.Node
    base: Value | None


class Scope:
    """The values of one environment over those of its imports."""

    def __init__(
        self,
        source: Source,
        values: yaml.MappingNode | None,
        base: Value | None,
        imports: Value,
        decrypt: Decrypt | None,
    ) -> None:
        self.source = source
        self.values = values
        self.base = base
        self.decrypt = decrypt
        self._imports = imports
        self._done: dict[int, Value] = {}
        self._under_way: set[int] = set()

    def value(self) -> Value:
        """Everything, merged."""
        if self.values is None:
            return self.base or Value({})
        return self.evaluate(Place(self.values, self.base))

    def evaluate(self, place: Place) -> Value:
        """The value at a place, computed once."""
        key = id(place.node)
        if key in self._done:
            return self._done[key]
        if key in self._under_way:
            self.source.complain(place.node, "cyclic reference")
            return Value(None, unknown=True, range=self.source.range(place.node))
        self._under_way.add(key)
        value = replace(self._computed(place), range=self.source.range(place.node))
        self._under_way.discard(key)
        self._done[key] = merged(value, place.base)
        return self._done[key]

    def argument(self, node: yaml.Node) -> Value:
        """The value of a function's argument."""
        return self.evaluate(Place(node, None))

    def unknown(self, node: yaml.Node, complaint: str | None = None) -> Value:
        """A value that cannot be told, for a reason or while checking."""
        if complaint is not None:
            self.source.complain(node, complaint)
        return Value(None, unknown=True, range=self.source.range(node))

    def _computed(self, place: Place) -> Value:
        """The value of a node by itself."""
        node = place.node
        if isinstance(node, yaml.SequenceNode):
            return Value([self.evaluate(Place(each, None)) for each in node.value])
        if isinstance(node, yaml.MappingNode):
            call = function_call(node)
            return self._object(place, node) if call is None else self._call(node, *call)
        literal = scalar(node)
        return self._string(node, literal) if isinstance(literal, str) else Value(literal)

    def _object(self, place: Place, node: yaml.MappingNode) -> Value:
        """The members of an object."""
        members: dict[str, Value] = {}
        for key, child in entries(node):
            if key.value in members:
                self.source.complain(key, f'duplicate key "{key.value}"')
            if key.value.startswith(PREFIX):
                illegal = f'"{key.value}" must be the only key within its containing object'
                self.source.complain(node, f"illegal call to builtin function: {illegal}")
            base = place.base.property(key.value) if place.base else None
            members[key.value] = self.evaluate(Place(child, base))
        return Value(members)

    def _call(self, node: yaml.MappingNode, name: str, argument: yaml.Node) -> Value:
        """A builtin function."""
        function = FUNCTIONS.get(name)
        if function is None:
            return self.unknown(node, f"'{name}' is not a function that this server evaluates")
        try:
            return function(self, argument)
        except Failure as failure:
            return self.unknown(argument, str(failure))

    def _string(self, node: yaml.Node, text: str) -> Value:
        """A string, the value it refers to, or text with references in it."""
        try:
            parts = parse(text)
        except ValueError as error:
            return self.unknown(node, str(error))
        if len(parts) == 1 and parts[0].reference and not parts[0].text:
            return replace(self._access(node, parts[0].reference), base=None)
        return self._interpolated(node, parts)

    def _interpolated(self, node: yaml.Node, parts: Sequence[Part]) -> Value:
        """Text and references, joined."""
        text, referred = "", []
        for part in parts:
            text += part.text
            if part.reference:
                referred.append(self._access(node, part.reference))
                text += referred[-1].to_text()
        secret = any(each.holds_secret() for each in referred)
        if any(each.holds_unknown() for each in referred):
            return Value("[unknown]", secret=secret, unknown=True)
        return Value(text, secret=secret)

    def _access(self, node: yaml.Node, accessors: Sequence[Accessor]) -> Value:
        """The value that a reference names."""
        if accessors[0] == "imports":
            return self._within(node, self._imports, accessors[1:])
        if accessors[0] in {"context", "environments"}:
            return self.unknown(node, f"'{accessors[0]}' is not available on this server")
        place = Place(self.values, self.base) if self.values is not None else None
        rest = list(accessors)
        while rest and place is not None:
            child = self._child(place, rest[0])
            if child is None:
                break
            place, rest = child, rest[1:]
        if place is None:
            return self._within(node, self.base or Value({}), accessors)
        container = isinstance(place.node, yaml.MappingNode) and not function_call(place.node)
        if rest and container:
            return self._within(node, place.base or Value({}), rest)
        return self._within(node, self.evaluate(place), rest)

    @staticmethod
    def _child(place: Place, accessor: Accessor) -> Place | None:
        """One step down in the text, without evaluating what lies beside."""
        node = place.node
        if isinstance(node, yaml.MappingNode) and function_call(node) is None:
            for key, child in entries(node):
                if key.value == accessor:
                    base = place.base.property(str(accessor)) if place.base else None
                    return Place(child, base)
        if isinstance(node, yaml.SequenceNode) and isinstance(accessor, int):
            inside = accessor < len(node.value)
            return Place(node.value[accessor], None) if inside else None
        return None

    def _within(self, node: yaml.Node, value: Value, accessors: Sequence[Accessor]) -> Value:
        """Steps down in a value."""
        for accessor in accessors:
            if value.unknown:
                return replace(value, range=self.source.range(node))
            if isinstance(value.plain, list) and isinstance(accessor, int):
                if accessor >= len(value.plain):
                    size = len(value.plain)
                    bounds = f"array index {accessor} out-of-bounds for array of length {size}"
                    return self.unknown(node, bounds)
                value = value.plain[accessor]
            elif isinstance(value.plain, dict):
                member = value.property(str(accessor))
                if member is None:
                    return self.unknown(node, f'unknown property "{accessor}"')
                value = member
            else:
                return self.unknown(node, "receiver must be an array or an object")
        return value


def function_call(node: yaml.MappingNode) -> tuple[str, yaml.Node] | None:
    """The function's name and its argument, if the mapping is a call."""
    if len(node.value) == 1 and node.value[0][0].value.startswith(PREFIX):
        key, argument = node.value[0]
        return key.value, argument
    return None

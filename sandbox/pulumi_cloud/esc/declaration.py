"""The three parts of a definition: description, imports, values."""

from dataclasses import dataclass, field

import yaml

from sandbox.pulumi_cloud.esc.syntax import Source, compose, entries, scalar

RESERVED = {"imports", "context", "environments"}


@dataclass(frozen=True)
class Import:
    """An imported environment: `project/name@version` or `name`."""

    name: str
    merge: bool
    node: yaml.Node


@dataclass
class Declaration:
    """What a definition declares."""

    imports: list[Import] = field(default_factory=list)
    values: yaml.MappingNode | None = None


def declare(source: Source) -> Declaration:
    """Read a definition; complaints go to the source."""
    root = compose(source)
    found = Declaration()
    if root is None or (isinstance(root, yaml.ScalarNode) and scalar(root) is None):
        return found
    if not isinstance(root, yaml.MappingNode):
        source.complain(root, "environment must be an object")
        return found
    seen: set[str] = set()
    for key, node in entries(root):
        name = key.value.lower()
        if name in seen:
            source.complain(key, f'duplicate key "{key.value}"', "warning")
        seen.add(name)
        if _is_null(node) or name == "description":
            continue
        if name == "imports":
            found.imports = _imports(source, node)
        elif name == "values":
            found.values = _values(source, node)
        else:
            known = "'description', 'imports', 'values'"
            summary = f"Field '{key.value}' does not exist on Object 'environment'"
            source.complain(key, f"{summary}; existing fields are: {known}", "warning")
    return found


def _imports(source: Source, node: yaml.Node) -> list[Import]:
    """The list under `imports`."""
    if not isinstance(node, yaml.SequenceNode):
        source.complain(node, "imports must be a list")
        return []
    found = []
    for element in node.value:
        entry = _import(element)
        if isinstance(entry, str):
            source.complain(element, entry)
        else:
            found.append(entry)
    return found


def _import(node: yaml.Node) -> Import | str:
    """One import, or what is wrong with it."""
    if isinstance(node, yaml.ScalarNode):
        name = scalar(node)
        return Import(name, merge=True, node=node) if isinstance(name, str) else NO_IMPORT
    if not isinstance(node, yaml.MappingNode):
        return NO_IMPORT
    if len(node.value) != 1:
        return "import must have a single key"
    key, options = node.value[0]
    if not isinstance(options, yaml.MappingNode):
        return "import must be an object"
    merge: object = True
    for option, value in entries(options):
        if option.value.lower() == "merge":
            merge = scalar(value) if isinstance(value, yaml.ScalarNode) else None
    if not isinstance(merge, bool):
        return "merge must be a boolean value"
    return Import(key.value, merge, key)


NO_IMPORT = "import must be a string or an object"


def _values(source: Source, node: yaml.Node) -> yaml.MappingNode | None:
    """The mapping under `values`."""
    if not isinstance(node, yaml.MappingNode):
        source.complain(node, "values must be an object")
        return None
    for key, _ in entries(node):
        if key.value in RESERVED:
            source.complain(key, f'"{key.value}" is a reserved key')
        if key.value.startswith("fn::"):
            message = f'builtin function call "{key.value}" not allowed at the top level'
            source.complain(key, message)
    return node


def _is_null(node: yaml.Node) -> bool:
    """Whether nothing is written there."""
    return isinstance(node, yaml.ScalarNode) and scalar(node) is None

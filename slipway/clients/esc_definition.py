"""Surgery on the text of an ESC definition: one scalar changes, every other byte stays.

ESC keeps the definition as text that people write, with comments and an order of their own. A
dump of the parsed document would rewrite all of it, so PyYAML only says where the value stands.
"""

import functools
import re
from dataclasses import dataclass

import yaml

from slipway.domain.config import KeyForm
from slipway.errors import ConfigKeyUnusable, InvalidInput

Section = tuple[str, ...]
PULUMI_CONFIG: Section = ("values", "pulumiConfig")
_PLAIN = re.compile(
    r"[A-Za-z/][A-Za-z0-9._/:@+-]*(?<!:)|[0-9][A-Za-z0-9._:@+-]*/[A-Za-z0-9._/:@+-]*(?<!:)"
)
"""No character that means something in YAML, and nothing that YAML reads as a number."""
_STRING = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"

Shape = tuple[str, object]
"""A node without its style and place: what every reader of the document sees."""


@dataclass(frozen=True, slots=True)
class Located:
    """How a key stands in a definition, and the text of its value when that is a plain string."""

    form: KeyForm
    value: str | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    name: yaml.Node
    value: yaml.Node

    @property
    def is_shared(self) -> bool:
        """Whether the value stands elsewhere and is only named here."""
        return bool(self.value.start_mark.index < self.name.end_mark.index)


def locate(text: str, key: str, section: Section = PULUMI_CONFIG) -> Located:
    """Find the section's key and say in which form it stands there."""
    entries = _path_to(_compose(text), key, section)
    if entries is None:
        return Located(KeyForm.MISSING)
    if any(each.is_shared for each in entries):
        return Located(KeyForm.ALIAS)
    node = entries[-1].value
    form = _form_of(text, node)
    return Located(form, str(node.value) if form is KeyForm.PLAIN else None)


def plain_values(text: str, section: Section = PULUMI_CONFIG) -> dict[str, str]:
    """Every key of the section that is a plain string there, with its text."""
    names = [str(name.value) for name, _ in _pairs(_find_section(_compose(text), section))]
    found = {each: locate(text, each, section).value for each in names}
    return {name: value for name, value in found.items() if value is not None}


def has_imports(text: str) -> bool:
    """Whether the definition imports other environments."""
    return any(name.value == "imports" and value.value for name, value in _pairs(_compose(text)))


def replaced(text: str, key: str, value: str, section: Section = PULUMI_CONFIG) -> str:
    """The definition with another value for a key that is a plain string in it."""
    entries = _path_to(_compose(text), key, section)
    if entries is None or locate(text, key, section).form is not KeyForm.PLAIN:
        raise ConfigKeyUnusable(
            f"key {key} is not a plain string in the ESC definition: write it as one, by hand"
        )
    node = entries[-1].value
    new = _scalar(value, getattr(node, "style", None))
    changed = text[: node.start_mark.index] + new + text[node.end_mark.index :]
    return _require_only(text, changed, key, value, section)


def inserted(text: str, key: str, value: str, section: Section = PULUMI_CONFIG) -> str:
    """The definition with a new first line in `pulumiConfig`, for a key that it lacks."""
    mapping = _find_section(_compose(text), section)
    if mapping is None or mapping.flow_style or not mapping.value:
        raise ConfigKeyUnusable(
            f"key {key} can't be added: the definition has no {'.'.join(section)} with other keys "
            "on lines of their own; write the key there once by hand"
        )
    first = mapping.value[0][0].start_mark
    newline = "\r\n" if "\r\n" in text else "\n"
    line = f"{_scalar(key)}: {_scalar(value)}{newline}{' ' * first.column}"
    changed = text[: first.index] + line + text[first.index :]
    return _require_only(text, changed, key, value, section)


def removed(text: str, key: str) -> str:
    """The definition without the key's own line, the way `inserted` has put it there."""
    entries = _path_to(_compose(text), key, PULUMI_CONFIG)
    if entries is None:
        raise ConfigKeyUnusable(
            f"key {key} is not in the ESC definition: look at the environment's history, who took "
            "it away"
        )
    name, value = entries[-1].name, entries[-1].value
    start = text.rfind("\n", 0, name.start_mark.index) + 1
    end = text.find("\n", value.end_mark.index) + 1 or len(text)
    return _require_only(text, text[:start] + text[end:], key, None, PULUMI_CONFIG)


@functools.lru_cache(maxsize=2)  # before and after a change; whoever asks again only reads
def _compose(text: str) -> yaml.MappingNode | None:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigKeyUnusable(
            f"the ESC definition is no YAML that can be read ({str(error)[:300]}): correct it with "
            "`pulumi env edit`"
        ) from error
    return node if isinstance(node, yaml.MappingNode) else None


def _path_to(root: yaml.MappingNode | None, key: str, section: Section) -> list[_Entry] | None:
    """The entries that lead to the key's value, or None where one is missing."""
    entries: list[_Entry] = []
    node: yaml.Node | None = root
    for wanted in (*section, key):
        pairs = [each for each in _pairs(node) if each[0].value == wanted]
        if len(pairs) > 1:
            raise ConfigKeyUnusable(
                f"{wanted} stands {len(pairs)} times in the ESC definition: leave one of them"
            )
        if not pairs:
            return None
        entries.append(_Entry(*pairs[0]))
        node = pairs[0][1]
    return entries


def _find_section(root: yaml.MappingNode | None, section: Section) -> yaml.MappingNode | None:
    node: yaml.Node | None = root
    for wanted in section:
        node = next((value for name, value in _pairs(node) if name.value == wanted), None)
    return node if isinstance(node, yaml.MappingNode) else None


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    return node.value if isinstance(node, yaml.MappingNode) else []


def _form_of(text: str, node: yaml.Node) -> KeyForm:
    if text[node.start_mark.index : node.start_mark.index + 1] == "&":
        return KeyForm.ALIAS
    if isinstance(node, yaml.ScalarNode):
        return _form_of_scalar(text, node)
    names = [str(name.value) for name, _ in _pairs(node)]
    if "fn::secret" in names:
        return KeyForm.SECRET
    if any(name.startswith("fn::") for name in names):
        return KeyForm.INTERPOLATED
    return KeyForm.NOT_TEXT


def _form_of_scalar(text: str, node: yaml.ScalarNode) -> KeyForm:
    if node.tag == _NULL or node.value == "":
        return KeyForm.EMPTY
    if "${" in node.value:
        return KeyForm.INTERPOLATED
    tagged = text[node.start_mark.index] == "!"
    if node.tag != _STRING or node.style in {"|", ">"} or tagged:
        return KeyForm.NOT_TEXT
    return KeyForm.PLAIN


def _scalar(value: str, style: str | None = None) -> str:
    """The text of a string: in this style, or plain where YAML lets it be."""
    if not value or not value.isprintable() or "${" in value:
        raise InvalidInput(
            f"{value[:200]!r} can't be written as a plain value of an ESC key: use one without "
            "control characters and ${"
        )
    if style == '"':
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if style == "'" or not _PLAIN.fullmatch(value) or not _reads_as_string(value):
        return "'" + value.replace("'", "''") + "'"
    return value


def _reads_as_string(value: str) -> bool:
    node = yaml.compose(value, Loader=yaml.SafeLoader)
    return isinstance(node, yaml.ScalarNode) and bool(node.tag == _STRING)


def _require_only(before: str, after: str, key: str, value: str | None, section: Section) -> str:
    """The changed text, once it is sure that readers see the change of this key and no other."""
    shapes = _shape(_compose(before)), _shape(_compose(after))
    found = locate(after, key, section)
    same_elsewhere = _without(shapes[0], key, section) == _without(shapes[1], key, section)
    right_here = found.value == value if value is not None else found.form is KeyForm.MISSING
    if same_elsewhere and right_here:
        return after
    raise ConfigKeyUnusable(
        f"key {key} can't be changed in the ESC definition without changing something else: write "
        "it as a plain string on a line of its own"
    )


def _shape(node: yaml.Node | None) -> Shape:
    if isinstance(node, yaml.MappingNode):
        return node.tag, [(_shape(name), _shape(value)) for name, value in node.value]
    if isinstance(node, yaml.SequenceNode):
        return node.tag, [_shape(each) for each in node.value]
    return (node.tag, node.value) if node else ("", None)


def _without(shape: Shape, key: str, path: Section) -> Shape:
    """The document less the key itself."""
    tag, pairs = shape
    if not isinstance(pairs, list):
        return shape
    kept = []
    for name, value in pairs:
        if not path and name[1] == key:
            continue
        inner = _without(value, key, path[1:]) if path and name[1] == path[0] else value
        kept.append((name, inner))
    return tag, kept

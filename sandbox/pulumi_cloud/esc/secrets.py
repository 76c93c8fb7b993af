"""`fn::secret` in a definition's text: plaintext goes in, ciphertext is kept.

The real service writes the whole document anew when it encrypts; here only the secret's own
characters change. Both leave ciphertext as it is: a definition without plaintext keeps every byte.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Iterator

import yaml

from sandbox.pulumi_cloud.esc.syntax import STRING, Source, compose

FUNCTION = "fn::secret"
MAGIC = b"escx" + (1).to_bytes(4, "big")
CHECKSUM_BYTES = 4

Edit = tuple[int, int, str]


def ciphertext_of(node: yaml.Node) -> str | None:
    """The ciphertext in the argument of `fn::secret`."""
    if isinstance(node, yaml.MappingNode) and len(node.value) == 1:
        key, value = node.value[0]
        if key.value == "ciphertext" and isinstance(value, yaml.ScalarNode):
            return str(value.value)
    return None


def sealed(ciphertext: bytes) -> str:
    """Ciphertext in ESC's envelope: magic, version, content, checksum."""
    content = MAGIC + ciphertext
    return base64.b64encode(content + zlib.crc32(content).to_bytes(4, "big")).decode()


def unsealed(text: str) -> bytes:
    """The ciphertext in an envelope; ValueError says what is wrong with it."""
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error
    body, checksum = content[:-CHECKSUM_BYTES], content[-CHECKSUM_BYTES:]
    if not body.startswith(MAGIC):
        raise ValueError("invalid header")
    if zlib.crc32(body).to_bytes(4, "big") != checksum:
        raise ValueError("invalid checksum")
    return body[len(MAGIC) :]


def encrypted(definition: bytes, encrypt: Callable[[str], str]) -> bytes:
    """The definition with every plaintext secret replaced by its ciphertext."""
    text = definition.decode()
    edits = []
    for mapping, key, argument in _secrets(text):
        if isinstance(argument, yaml.ScalarNode) and argument.tag == STRING:
            edits.append(_encrypting(text, mapping, key, argument, encrypt(argument.value)))
    return _edited(text, edits).encode()


def decrypted(definition: bytes, decrypt: Callable[[str], str]) -> bytes:
    """The definition with every secret in plain text."""
    text = definition.decode()
    edits: list[Edit] = []
    for _, _, argument in _secrets(text):
        if ciphertext := ciphertext_of(argument):
            flow = isinstance(argument, yaml.MappingNode) and argument.flow_style
            last = argument.end_mark if flow else argument.value[0][1].end_mark
            plain = json.dumps(decrypt(ciphertext), ensure_ascii=False)
            edits.append((argument.start_mark.index, last.index, plain))
    return _edited(text, edits).encode()


def _encrypting(
    text: str, mapping: yaml.MappingNode, key: yaml.Node, argument: yaml.Node, ciphertext: str
) -> Edit:
    """The change of text that hides one secret, in the style of its surroundings."""
    start, end = argument.start_mark.index, argument.end_mark.index
    if mapping.flow_style:
        return start, end, f"{{ciphertext: {ciphertext}}}"
    while text[start - 1] in " \t":
        start -= 1
    indent = " " * (key.start_mark.column + 2)
    newline = "\n" if text[start:end].endswith("\n") else ""
    return start, end, f"\n{indent}ciphertext: {ciphertext}{newline}"


def _secrets(text: str) -> Iterator[tuple[yaml.MappingNode, yaml.Node, yaml.Node]]:
    """Every call of `fn::secret`: the call, its name, its argument."""
    waiting = [compose(Source("", text))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            if len(node.value) == 1 and node.value[0][0].value == FUNCTION:
                yield (node, *node.value[0])
            else:
                waiting.extend(value for _, value in node.value)


def _edited(text: str, edits: list[Edit]) -> str:
    """The text after the edits, made from the end backwards."""
    for start, end, replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text

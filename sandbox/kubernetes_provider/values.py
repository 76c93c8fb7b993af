"""Property values: between gRPC's structs and Python, and what differs between two of them."""

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What stands for a string that a preview does not know (pulumi sdk/go/common/resource/plugin)."""


def from_struct(message: Struct) -> dict[str, Any]:
    """A struct's content; whole numbers are integers again, which structs do not have."""
    return {name: _whole(value) for name, value in MessageToDict(message).items()}


def to_struct(content: Mapping[str, Any]) -> Struct:
    """Content as a struct."""
    message = Struct()
    message.update(content)
    return message


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and kind (`add`, `delete`, `update`) of everything that differs, leaves first."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            yield from _compare(name in old, name in new, old.get(name), new.get(name), path, name)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before, after = index < len(old), index < len(new)
            here = f"{path}[{index}]"
            if before and after:
                yield from differences(old[index], new[index], here)
            else:
                yield here, "add" if after else "delete"
    elif old != new:
        yield path, "update"


def _compare(
    before: bool,  # noqa: FBT001 - whether each side has the name at all; None is a value
    after: bool,  # noqa: FBT001 - likewise
    old: Any,
    new: Any,
    path: str,
    name: str,
) -> Iterator[tuple[str, str]]:
    here = _join(path, name)
    if before and after:
        yield from differences(old, new, here)
    else:
        yield here, "add" if after else "delete"


def _join(path: str, name: str) -> str:
    plain = name.replace("_", "").replace("-", "").isalnum()
    if not plain:
        return f'{path}["{name}"]'
    return f"{path}.{name}" if path else name


def project(shape: Any, live: Any) -> Any:
    """The live value, cut to what the shape has: what a person once asked for, as it is now."""
    if isinstance(shape, dict) and isinstance(live, dict):
        return {name: project(shape[name], live[name]) for name in shape if name in live}
    if isinstance(shape, list) and isinstance(live, list) and len(shape) == len(live):
        return [project(one, other) for one, other in zip(shape, live, strict=True)]
    return live


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return value

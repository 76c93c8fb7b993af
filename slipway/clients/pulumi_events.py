"""What the Pulumi engine says in its event log, as the values that the guard judges.

One JSON object a line; the shapes are those of pulumi/pulumi sdk/go/common/apitype/events.go. A
line that can't be read leaves the preview incomplete: the guard must not miss a change.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from slipway.domain.change import (
    DEPLOYMENT_TYPE,
    ContainerInput,
    PathChange,
    Preview,
    ResourceChange,
)
from slipway.domain.redaction import redacted

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What stands in an input whose value is not known before the update (sdk/go plugin.rpc)."""
_STEP = re.compile(r"""\.?([^.\[\]"]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]""")
PROGRAM_ERROR = "info#err"
"""The severity of what a program or its language host writes to standard error."""
_MARKUP = re.compile(r"<\{%.*?%\}>")


@dataclass(frozen=True, slots=True)
class EventLog:
    """A log, read: what it says of resources, and why it failed.

    `errors` are the engine's own, or else what the program has written to its standard error.
    """

    preview: Preview
    errors: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reading:
    changes: list[ResourceChange] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    counted: dict[str, int] | None = None
    readable: bool = True


def parse_event_log(lines: Iterable[str]) -> EventLog:
    """Read a log. It is complete when its summary counts no more changes than it tells."""
    reading = _Reading()
    for line in lines:
        if line.strip():
            _read_line(line, reading)
    complete = reading.readable and reading.counted is not None and _tells_all(reading)
    errors = tuple(reading.errors or reading.written)
    return EventLog(Preview(tuple(reading.changes), complete), errors)


def _read_line(line: str, reading: _Reading) -> None:
    try:
        event = json.loads(line)
        if (step := event.get("resourcePreEvent")) is not None:
            reading.changes.append(_change(step["metadata"]))
        elif (summary := event.get("summaryEvent")) is not None:
            reading.counted = dict(summary.get("resourceChanges") or {})
        elif (said := event.get("diagnosticEvent")) is not None:
            _read_message(said, reading)
    except (ValueError, KeyError, TypeError, AttributeError):
        reading.readable = False


def _read_message(said: dict[str, Any], reading: _Reading) -> None:
    message = _plain(said.get("message", ""))
    if said.get("severity") == "error":
        reading.errors.append(_about(said.get("urn") or "") + message)
    elif said.get("severity") == PROGRAM_ERROR:
        reading.written.append(redacted(message))


def _tells_all(reading: _Reading) -> bool:
    told = Counter(each.op for each in reading.changes)
    counted = reading.counted or {}
    return all(told[op] >= number for op, number in counted.items() if op != "same")


def _change(metadata: dict[str, Any]) -> ResourceChange:
    old, new = metadata.get("old") or {}, metadata.get("new") or {}
    return ResourceChange(
        urn=str(metadata["urn"]),
        op=str(metadata["op"]),
        type=str(metadata["type"]),
        paths=_paths(metadata),
        containers=_containers(new) if metadata["type"] == DEPLOYMENT_TYPE else (),
        had_init_errors=bool(old.get("initErrors")),
        values=_told(old.get("inputs"), new.get("inputs")),
    )


def _paths(metadata: dict[str, Any]) -> tuple[PathChange, ...]:
    """The changed properties; only their first names where the provider told no more."""
    detailed = metadata.get("detailedDiff") or {}
    if detailed:
        # `diffKind` in the event log, `kind` in the digest that `preview --json` prints.
        return tuple(
            PathChange(
                path,
                str(each.get("diffKind") or each.get("kind") or "update"),
                _values(metadata, path, "inputs" if each.get("inputDiff") else "outputs"),
            )
            for path, each in sorted(detailed.items())
        )
    return tuple(
        PathChange(str(name), "update", _values(metadata, str(name), "inputs"))
        for name in metadata.get("diffs") or []
    )


def _values(metadata: dict[str, Any], path: str, compared: str) -> str:
    """What a property was, by the old inputs or outputs as the provider compared, and becomes."""
    old, new = metadata.get("old") or {}, metadata.get("new") or {}
    return _told(_at(old.get(compared), path), _at(new.get("inputs"), path))


def _told(old: Any, new: Any) -> str:
    """Stands for two values without telling them; empty when neither, or not all, is known."""
    text = json.dumps([old, new], sort_keys=True)
    if UNKNOWN in text or (old is None and new is None):
        return ""
    return hashlib.sha256(text.encode()).hexdigest()


def _at(value: Any, path: str) -> Any:
    """The value at a property path: `spec.ports[0].port`, `metadata.labels["a.b/c"]`."""
    for name, index, quoted in _STEP.findall(path):
        if index:
            value = (
                value[int(index)] if isinstance(value, list) and len(value) > int(index) else None
            )
        else:
            key = name or quoted.replace('\\"', '"')
            value = value.get(key) if isinstance(value, dict) else None
    return value


def _containers(state: dict[str, Any]) -> tuple[ContainerInput, ...]:
    return tuple(
        ContainerInput(index, str(each.get("name")), _known(each.get("image")))
        for index, each in enumerate(containers_of(state.get("inputs")))
    )


def containers_of(inputs: Any) -> Sequence[dict[str, Any]]:
    """The containers in a Deployment's properties; none where they are secret or not known."""
    for name in ("spec", "template", "spec", "containers"):
        inputs = inputs.get(name) if isinstance(inputs, dict) else None
    return (
        [each if isinstance(each, dict) else {} for each in inputs or ()]
        if isinstance(inputs, list)
        else []
    )


def _known(value: Any) -> str | None:
    """A text; None for what is secret or not known yet."""
    return value if isinstance(value, str) and value not in {UNKNOWN, "[secret]"} else None


def _about(urn: str) -> str:
    """Whom a message is about, as people call it; nobody, where it is the stack or the engine."""
    name = urn.rpartition("::")[2]
    return f"{name}: " if name and "::pulumi:pulumi:Stack::" not in urn else ""


def _plain(message: str) -> str:
    """A message without the markup that the CLI turns into colours."""
    return " ".join(_MARKUP.sub("", message).split())

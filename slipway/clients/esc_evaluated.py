"""What ESC says that a key is: for what stands elsewhere than in the key's own line."""

import json
from typing import Any

from slipway.clients.pulumi_api import Answer


def evaluated(answer: Answer, key: str) -> str | None:
    """The text of a key of `pulumiConfig` in the answer to a check; empty where it has none.

    None where ESC does not tell it: secret or unknown in any part, or nothing was evaluated.
    """
    section = stack_config(answer) if answer.good else None
    if section is None:
        return None
    if key not in section:
        return ""
    try:
        plain = _plain(section[key])
    except _KeptBackError:
        return None
    return plain if isinstance(plain, str) else json.dumps(plain)


def stack_config(answer: Answer) -> dict[str, Any] | None:
    """What a check tells of `pulumiConfig`, by its keys; None where nothing was evaluated."""
    properties = answer.json().get("properties")
    if not isinstance(properties, dict):
        return None
    section = _member(properties.get("pulumiConfig"), "value")
    return section if isinstance(section, dict) else {}


class _KeptBackError(Exception):
    """A part of a value is secret, or unknown until the environment is opened."""


def _plain(value: Any) -> Any:
    """A value without ESC's marks."""
    if not isinstance(value, dict) or value.get("secret") or value.get("unknown"):
        raise _KeptBackError
    inner = value.get("value")
    if isinstance(inner, dict):
        return {name: _plain(each) for name, each in inner.items()}
    return [_plain(each) for each in inner] if isinstance(inner, list) else inner


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None
